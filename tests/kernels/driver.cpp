// The kernel without Python or torch: runs every operation on inputs of its own and prints a digest for each. Two builds
// agree if they print the same. ELMAN_ISA and ELMAN_THREADS choose as always; build_driver.sh builds it.
//
// Every buffer is a vector of exactly the size that kernels.h states, so that a sanitizer sees one float too far.
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "float/kernels.h"
#include "team/pool.h"

using namespace elman;
using Floats = std::vector<float>;
using Ids = std::vector<int64_t>;

namespace {

// SplitMix64. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
uint64_t random_state;
uint64_t random_word() {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
Floats numbers(int64_t n, float scale = 1.0f) {  // multiples of scale / 2^23 in -scale .. scale
  Floats x(static_cast<size_t>(n));
  for (float& v : x) v = (float(random_word() >> 40) * 0x1p-23f - 1.0f) * scale;
  return x;
}
Ids integers(int64_t n, int64_t bound) {
  Ids x(static_cast<size_t>(n));
  for (int64_t& v : x) v = int64_t(random_word() % uint64_t(bound));
  return x;
}
Floats unset(int64_t n) { return Floats(static_cast<size_t>(n), __builtin_nanf("")); }  // what is not written shows

struct Digest {  // FNV-1a
  uint64_t value = 0xcbf29ce484222325u;
  void bytes(const void* data, size_t n) {
    for (size_t i = 0; i < n; ++i) value = (value ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }
  void add(const Floats& x) {
    for (float v : x) {
      uint32_t bits;
      std::memcpy(&bits, &v, 4);
      if (v != v) bits = 0x7fc00000u;  // a NaN is a NaN everywhere; its bits are not promised
      bytes(&bits, 4);
    }
  }
};

void print(const std::string& name, const Digest& digest) {
  std::printf("%s: %016llx\n", name.c_str(), static_cast<unsigned long long>(digest.value));
}

struct Sizes {
  int64_t T, B, I, H;
};

// Forward and backward of one layer, in all the ways to call them.
uint64_t layer(int cell, Sizes s, bool with_ids, bool bias, uint64_t seed) {
  random_state = seed;
  int64_t T = s.T, B = s.B, I = s.I, H = s.H, N = gates_of(cell) * H, S = saved_of(cell) * H;
  bool lstm = cell == LSTM;
  Ids ids = with_ids ? integers(T * B, I) : Ids{};
  Floats x = numbers(with_ids ? 0 : T * B * I), h0 = numbers(B * H), c0 = numbers(lstm ? B * H : 0);
  Floats w_ih = numbers(N * I), w_hh = numbers(N * H, 0.3f), b_ih = numbers(bias ? N : 0), b_hh = numbers(bias ? N : 0);
  Digest digest;
  Floats out, gates, cells;
  for (bool save : {false, true}) {
    Floats hn = unset(B * H), cn = unset(lstm ? B * H : 0);
    out = unset(T * B * H), gates = unset(save ? T * B * S : 0), cells = unset(save && lstm ? T * B * H : 0);
    Forward f{};
    f.cell = cell, f.T = T, f.B = B, f.I = I, f.H = H, f.ids = with_ids ? ids.data() : nullptr;
    f.x = with_ids ? nullptr : x.data(), f.h0 = h0.data(), f.c0 = lstm ? c0.data() : nullptr;
    f.w_ih = w_ih.data(), f.w_hh = w_hh.data();
    f.b_ih = bias ? b_ih.data() : nullptr, f.b_hh = bias ? b_hh.data() : nullptr;
    f.out = out.data(), f.hn = hn.data(), f.cn = lstm ? cn.data() : nullptr;
    f.gates = save && S ? gates.data() : nullptr, f.cells = save && lstm ? cells.data() : nullptr;
    kernels().forward(f);
    for (const Floats* result : {&out, &hn, &cn}) digest.add(*result);
  }
  Floats d_out = numbers(T * B * H), d_hn = numbers(B * H), d_cn = numbers(lstm ? B * H : 0);
  Floats d_w_ih, d_w_hh, d_b_ih, d_b_hh;
  for (int call = 0; call < 4; ++call) {  // all; all, added to the first; the state alone; W_hh alone from h alone
    if (call != 1) d_w_ih = unset(N * I), d_w_hh = unset(N * H), d_b_ih = unset(bias ? N : 0), d_b_hh = d_b_ih;
    Floats d_x = unset(T * B * I), d_h0 = unset(B * H), d_c0 = unset(lstm ? B * H : 0);
    bool all = call < 2;
    Backward k{};
    k.cell = cell, k.T = T, k.B = B, k.I = I, k.H = H, k.ids = with_ids ? ids.data() : nullptr;
    k.x = with_ids ? nullptr : x.data(), k.h0 = h0.data(), k.c0 = lstm ? c0.data() : nullptr;
    k.w_ih = w_ih.data(), k.w_hh = w_hh.data(), k.out = out.data();
    k.gates = S ? gates.data() : nullptr, k.cells = lstm ? cells.data() : nullptr;
    k.d_out = call < 3 ? d_out.data() : nullptr, k.d_hn = call != 2 ? d_hn.data() : nullptr;
    k.d_cn = lstm && all ? d_cn.data() : nullptr;
    k.d_x = all && !with_ids ? d_x.data() : nullptr;
    k.d_h0 = call < 3 ? d_h0.data() : nullptr, k.d_c0 = call < 3 && lstm ? d_c0.data() : nullptr;
    k.d_w_ih = all ? d_w_ih.data() : nullptr, k.d_w_hh = call != 2 ? d_w_hh.data() : nullptr;
    k.d_b_ih = all && bias ? d_b_ih.data() : nullptr, k.d_b_hh = all && bias ? d_b_hh.data() : nullptr;
    k.accumulate = call == 1;
    kernels().backward(k);
    for (const Floats* result : {&d_x, &d_h0, &d_c0, &d_w_ih, &d_w_hh, &d_b_ih, &d_b_hh}) digest.add(*result);
  }
  return digest.value;
}

void layers() {
  const char* names[] = {"rnn_relu", "rnn_tanh", "gru", "lstm"};
  const Sizes all[] = {{7, 5, 13, 37}, {1, 1, 1, 1}, {0, 3, 4, 5},   {3, 0, 4, 5},   {2, 3, 65, 16},
                       {1, 9, 3, 33},  {5, 1, 40, 31}, {17, 19, 5, 41}, {3, 2, 17, 260}};
  for (int cell = 0; cell < 4; ++cell)
    for (const Sizes& s : all)
      for (int kind = 0; kind < 4; ++kind) {
        Digest digest;
        digest.value = layer(cell, s, kind & 1, kind & 2, uint64_t(1000 * cell + kind));
        char name[100];
        std::snprintf(name, sizeof name, "%s T=%d B=%d I=%d H=%d ids=%d bias=%d", names[cell], int(s.T), int(s.B),
                      int(s.I), int(s.H), kind & 1, kind >> 1);
        print(name, digest);
      }
}

void dense() {
  const Sizes all[] = {{7, 5, 13, 37}, {1, 1, 1, 1}, {0, 3, 4, 5}, {31, 9, 33, 45}, {2, 3, 300, 17}, {3, 2, 9, 4500}};
  for (const Sizes& s : all)  // I is the input's size, H the output's
    for (bool bias : {false, true}) {
      random_state = uint64_t(s.H) + bias;
      int64_t rows = s.T * s.B, K = s.I, N = s.H;
      Floats x = numbers(rows * K), w = numbers(N * K), b = numbers(N), d_y = numbers(rows * N), y = unset(rows * N);
      const float* b_or_null = bias ? b.data() : nullptr;
      Digest digest;
      if (rows) kernels().linear({rows, K, N, x.data(), w.data(), b_or_null, y.data()});
      digest.add(y);
      Floats d_x = unset(rows * K), d_w = unset(N * K), d_b = unset(N);
      for (bool more : {false, true}) {
        kernels().linear_backward({s.T, s.B, K, N, x.data(), w.data(), d_y.data(), d_x.data(), d_w.data(), d_b.data(), more});
        for (const Floats* result : {&d_x, &d_w, &d_b}) digest.add(*result);
      }
      if (rows) {
        Ids targets = integers(rows, N);
        for (bool keep : {false, true}) {
          Floats nats = unset(rows), mean = unset(1), saved = unset(keep ? rows * N : 0);
          float* kept = keep ? saved.data() : nullptr;
          Loss l{};
          l.T = s.T, l.B = s.B, l.H = K, l.V = N, l.hidden = x.data(), l.w = w.data(), l.b = b_or_null;
          l.targets = targets.data(), l.nats = nats.data(), l.mean = mean.data(), l.saved = kept;
          kernels().loss(l);
          for (const Floats* result : {&nats, &mean}) digest.add(*result);
          LossBackward k{};
          k.T = s.T, k.B = s.B, k.H = K, k.V = N, k.hidden = x.data(), k.w = w.data(), k.b = b_or_null;
          k.targets = targets.data(), k.saved = kept, k.d_mean = 1.7f;
          for (bool wanted : {true, false}) {
            d_x = unset(rows * K), d_w = unset(N * K), d_b = unset(N);
            k.d_hidden = wanted ? d_x.data() : nullptr, k.d_w = d_w.data(), k.d_b = wanted ? d_b.data() : nullptr;
            kernels().loss_backward(k);
            for (const Floats* result : {&d_x, &d_w, &d_b}) digest.add(*result);
          }
        }
        Floats log_p = unset(rows * N);
        kernels().log_softmax(d_y.data(), log_p.data(), rows, N);
        digest.add(log_p);
      }
      char name[100];
      std::snprintf(name, sizeof name, "dense T=%d B=%d K=%d N=%d bias=%d", int(s.T), int(s.B), int(K), int(N), bias);
      print(name, digest);
    }
}

void updates() {
  random_state = 5;
  const std::vector<int64_t> sizes = {7, 70001, 0, 33};
  std::vector<Floats> data[4];
  std::vector<float*> addresses[4];
  for (int kind = 0; kind < 4; ++kind)
    for (int64_t n : sizes) data[kind].push_back(numbers(n, kind < 2 ? 1.0f : 0.0f));
  for (int kind = 0; kind < 4; ++kind)
    for (Floats& x : data[kind]) addresses[kind].push_back(x.data());
  Tensors tensors{int64_t(sizes.size()), sizes.data(), addresses[0].data(), addresses[1].data(), addresses[2].data(),
                  addresses[3].data()};
  Digest digest;
  std::vector<double> sums(size_t(chunks_of(tensors)));
  kernels().squares(tensors, sums.data());
  double norm = norm_of(sums.data(), int64_t(sums.size()));
  digest.bytes(&norm, sizeof norm);
  kernels().sgd(tensors, 0.3f, 0.7f);
  for (int step = 0; step < 3; ++step)
    kernels().adamw(tensors, {0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 0.999f, 0.03f, 0.01f, 0.7f});
  for (int kind : {0, 2, 3})
    for (const Floats& x : data[kind]) digest.add(x);
  print("updates", digest);
}

void random_bits() {
  Digest digest;
  std::vector<uint32_t> words(20001);
  kernels().philox(words.data(), 20001, 0x8000000000000001u, 3);
  digest.bytes(words.data(), words.size() * 4);
  random_state = 6;
  Floats x = numbers(33333), y = unset(33333);
  kernels().dropout(x.data(), y.data(), 1, 33333, 11, 6, uint64_t(1) << 30, 4.0f / 3.0f);
  digest.add(y);
  print("philox and dropout", digest);
}

void functions() {
  const char* names[] = {"exp", "log", "tanh", "sigmoid"};
  for (int f = 0; f < 4; ++f) {
    Floats x;
    for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 20011) {
      uint32_t word = uint32_t(bits);
      float v;
      std::memcpy(&v, &word, 4);
      x.push_back(v);
    }
    Floats y = unset(int64_t(x.size()));
    kernels().math(f, x.data(), y.data(), int64_t(x.size()));
    Digest digest;
    digest.add(y);
    print(names[f], digest);
  }
}

// Rows looked up, and their gradient, alone and added to what is there.
void embeddings() {
  const Sizes all[] = {{1, 1, 1, 1}, {7, 5, 13, 37}, {0, 3, 4, 5}, {35, 19, 300, 130}};  // H is the size of a row
  Digest digest;
  for (const Sizes& s : all) {
    random_state = uint64_t(s.H);
    int64_t T = s.T, B = s.B, V = s.I, E = s.H;
    Ids ids = integers(T * B, V);
    Floats weight = numbers(V * E), x = unset(T * B * E), d_x = numbers(T * B * E), d_weight = unset(V * E);
    kernels().embed({T, B, V, E, ids.data(), weight.data(), x.data()});
    kernels().embed_backward({T, B, V, E, ids.data(), d_x.data(), d_weight.data(), false});
    digest.add(x), digest.add(d_weight);
    kernels().embed_backward({T, B, V, E, ids.data(), d_x.data(), d_weight.data(), true});
    digest.add(d_weight);
  }
  print("embeddings", digest);
}

// A prompt read, then ids in all ways to choose; models small and large enough for threads to share their columns.
void generation() {
  const char* names[] = {"rnn_relu", "rnn_tanh", "gru", "lstm"};
  const Sizes all[] = {{1, 1, 7, 5}, {2, 1, 34, 131}, {3, 2, 65, 96}, {2, 3, 44, 130}, {1, 7, 300, 128}, {2, 19, 33, 37}};
  for (int cell = 0; cell < 4; ++cell)
    for (const Sizes& s : all) {  // T is the number of layers, I the vocabulary
      random_state = uint64_t(100 * cell + s.B);
      int64_t L = s.T, B = s.B, V = s.I, H = s.H, N = gates_of(cell) * H, steps = 9;
      int64_t E = L == 3 || B == 7 ? 21 : 0;  // of an embedding
      int64_t packed = cell == GRU ? packed_size(2 * H, H) + packed_size(H, H) : packed_size(N, H);
      std::vector<Floats> kept;
      kept.reserve(size_t(4 * L));  // addresses into it stay
      auto keep = [&](Floats x) { return kept.emplace_back(std::move(x)).data(); };
      std::vector<DecoderLayer> layers;
      for (int64_t l = 0; l < L; ++l) {
        bool by_id = l == 0 && !E;
        int64_t I = l ? H : E ? E : V;
        Floats w_ih = numbers(N * I), w_hh = numbers(N * H, 0.2f), b_ih = numbers(N), b_hh = numbers(N);
        float *hh = keep(unset(packed)), *input = keep(unset(by_id ? I * N : packed_size(N, I))), *bias = keep(unset(N));
        kernels().decoder_pack(cell, I, H, by_id, w_ih.data(), w_hh.data(), b_ih.data(), b_hh.data(), hh, input, bias);
        layers.push_back({hh, cell == GRU ? keep(Floats(b_hh.begin() + 2 * H, b_hh.end())) : nullptr, input, bias});
      }
      Floats w = numbers(V * H), b = numbers(V), h(size_t(L * B * H)), c(size_t(cell == LSTM ? L * B * H : 0));
      Floats logits = unset(B * V), out = unset(packed_size(V, H));
      kernels().decoder_pack_output(V, H, w.data(), out.data());
      Floats embedding = numbers(V * E);
      Decoder d{cell, L, B, H, V, layers.data(), out.data(), b.data(), h.data(), c.data(), logits.data(), E,
                E ? embedding.data() : nullptr};
      Ids prompt = integers(3 * B, V), ids(size_t(steps * B));
      std::vector<double> draws;
      for (int64_t i = 0; i < steps * B; ++i) draws.push_back(double(random_word() >> 11) * 0x1p-53);
      kernels().decoder_read(d, 3, prompt.data());
      Digest digest;
      std::vector<uint8_t> seen(size_t(B * V));
      const Choice choices[] = {{nullptr, 1.0f, -1.0f, 0, -1.0, -1.0, nullptr, nullptr},
                                {nullptr, 1.0f, 0.7f, 0, -1.0, -1.0, draws.data(), nullptr},
                                {b.data(), 1.3f, 0.7f, 20, 0.9, 0.01, draws.data(), seen.data()}};
      for (const Choice& choice : choices) {
        bool fine = kernels().decoder_generate(d, steps, choice, ids.data());
        digest.bytes(ids.data(), ids.size() * 8);
        digest.bytes(&fine, 1);
        for (const Floats* result : {&logits, &h, &c}) digest.add(*result);
      }
      char name[100];
      std::snprintf(name, sizeof name, "%s generation L=%d B=%d V=%d H=%d", names[cell], int(L), int(B), int(V), int(H));
      print(name, digest);
    }
}

// Two callers at once: one has the pool, the other computes alone.
void concurrent() {
  uint64_t alone = layer(LSTM, {17, 19, 5, 41}, false, true, 9);
  bool same[2] = {true, true};
  auto work = [&](int i) {
    for (int round = 0; round < 4; ++round) same[i] &= layer(LSTM, {17, 19, 5, 41}, false, true, 9) == alone;
  };
  std::thread other([&] {
    Floats x(5000, 1.0f), y(5000);
    for (int round = 0; round < 100; ++round) {
      kernels().linear({50, 100, 50, x.data(), x.data(), nullptr, y.data()});
      for (int i = 0; i < 2500; ++i) same[1] &= y[size_t(i)] == 100.0f;
    }
  });
  work(0);
  other.join();
  std::printf("concurrent callers: %s\n", same[0] && same[1] ? "same" : "DIFFERENT");
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2 && !std::strcmp(arguments[1], "--isas")) {  // those that this machine can run
    for (const char* name : {"portable", "avx2", "avx512", "neon"})
      if (set_isa(name).empty()) std::puts(name);
    return 0;
  }
  std::fprintf(stderr, "%s, %d threads\n", kernels().isa, get_threads());
  layers();
  dense();
  updates();
  random_bits();
  functions();
  embeddings();
  generation();
  concurrent();
}
