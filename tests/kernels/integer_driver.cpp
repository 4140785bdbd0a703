// The integer kernels without Python: reads and writes with random networks and prints a digest for each. Two builds agree
// if they print the same. ISA [THREADS] on the command line choose; build_integer_driver.sh builds it.
//
// Every buffer is a vector of exactly the size that integer.h states, so that a sanitizer sees one byte too far.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "integer/packed.h"
#include "team/pool.h"

using namespace elman;

namespace elman::integer {
#define ELMAN_TABLE(name) namespace name { extern const Table table; }
ELMAN_TABLES
#undef ELMAN_TABLE
}  // namespace elman::integer

namespace {

// SplitMix64. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
uint64_t random_state;
uint64_t random_word() {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
int64_t below(int64_t bound) { return int64_t(random_word() % uint64_t(bound)); }
template <class X>
std::vector<X> integers(int64_t n, int64_t reach) {
  std::vector<X> x(static_cast<size_t>(n));
  for (X& v : x) v = X(below(2 * reach + 1) - reach);
  return x;
}
std::vector<float> scales(int64_t n, float largest) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) v = float(below(1 << 24)) * 0x1p-24f * largest;
  return x;
}

struct Digest {  // FNV-1a
  uint64_t value = 0xcbf29ce484222325u;
  template <class X>
  void add(const std::vector<X>& x) {
    auto* bytes = reinterpret_cast<const unsigned char*>(x.data());
    for (size_t i = 0; i < x.size() * sizeof(X); ++i) value = (value ^ bytes[i]) * 0x100000001b3u;
  }
};

int64_t likeliest(const Choice&, int64_t V, const float* logits, const uint8_t*, double, float*) {
  int64_t best = 0;
  for (int64_t j = 1; j < V; ++j) best = logits[j] > logits[best] ? j : best;
  return best;
}

struct Sizes {
  int64_t L, H, V, T, B;
};

uint64_t network(const integer::Table& table, int cell, int bits, Sizes s, int reach, float scale) {
  random_state = uint64_t(cell * 1000 + s.H + reach);
  int64_t N = gates_of(cell) * s.H;
  struct Arrays {
    std::vector<int8_t> ih, hh;
    std::vector<float> ih_scale, hh_scale;
    std::vector<int32_t> bias, bias_hn;
  };
  std::vector<Arrays> arrays;
  std::vector<integer::LayerArrays> layers;
  for (int64_t l = 0; l < s.L; ++l)
    arrays.push_back({integers<int8_t>(N * s.H, reach), integers<int8_t>(N * s.H, reach), scales(N, scale),
                      scales(N, scale), integers<int32_t>(N, 3000), integers<int32_t>(s.H, 3000)});
  for (Arrays& a : arrays) {
    bool first = layers.empty();
    layers.push_back({first ? nullptr : a.ih.data(), first ? nullptr : a.ih_scale.data(), a.hh.data(), a.hh_scale.data(),
                      first ? nullptr : a.bias.data(), cell == GRU ? a.bias_hn.data() : nullptr});
  }
  auto inputs = integers<int32_t>(s.V * N, 9000);
  auto w_out = integers<int8_t>(s.V * s.H, reach);
  auto scale_out = scales(s.V, 0.001f), b_out = scales(s.V, 1.0f);
  integer::Packed packed(table, cell, bits, s.H, s.V, layers, inputs.data(), w_out.data(), scale_out.data(), b_out.data());

  auto h = integers<int8_t>(s.L * s.B * s.H, 127);
  auto c = integers<int16_t>(cell >= GRU ? s.L * s.B * s.H : 0, 32767);
  std::vector<int64_t> ids(size_t(s.T * s.B)), targets(ids.size());
  for (int64_t& id : ids) id = below(s.V);
  for (int64_t& id : targets) id = below(s.V);
  std::vector<float> all(size_t(s.T * s.B * s.V)), logits(size_t(s.B * s.V));
  std::vector<double> nats(ids.size()), again(ids.size());
  int threads = get_threads();
  integer::Memory memory;
  void* room = memory.room(table.memory_of(packed.network(), s.B, threads));
  integer::Rows rows{&packed.network(), s.B, threads, h.data(), cell >= GRU ? c.data() : nullptr, room, likeliest};
  Digest digest;
  auto h0 = h;
  auto c0 = c;
  table.read(rows, s.T, ids.data(), all.data(), true, targets.data(), nats.data());
  digest.add(all), digest.add(nats), digest.add(h), digest.add(c);
  h = h0, c = c0;
  table.read(rows, s.T, ids.data(), nullptr, false, targets.data(), again.data());
  digest.add(again);
  h = h0, c = c0;
  table.read(rows, s.T, ids.data(), logits.data(), false, nullptr, nullptr);
  digest.add(logits);
  table.generate(rows, s.T, Choice{}, logits.data(), ids.data());
  digest.add(ids), digest.add(logits), digest.add(h), digest.add(c);
  return digest.value;
}

void print(const std::string& name, uint64_t digest) {
  std::printf("%s: %016llx\n", name.c_str(), static_cast<unsigned long long>(digest));
}

}  // namespace

int main(int count, char** arguments) {
  const integer::Table* table = nullptr;
#define ELMAN_TABLE(name) if (count > 1 && !std::strcmp(arguments[1], #name)) table = &integer::name::table;
  ELMAN_TABLES
#undef ELMAN_TABLE
  if (!table) return std::fprintf(stderr, "%s is not built\n", count > 1 ? arguments[1] : ""), 2;
  set_threads(count > 2 ? std::atoi(arguments[2]) : 1);
  std::vector<int16_t> x(65536), y(x.size());
  for (int i = 0; i < 65536; ++i) x[size_t(i)] = int16_t(i - 32768);
  for (int f : {0, 1}) {
    Digest digest;
    table->function(f, x.data(), y.data(), int64_t(x.size()) - 3);
    digest.add(y);
    print(f ? "tanh" : "sigmoid", digest.value);
  }
  random_state = 1;
  for (int64_t V : {1, 5, 77, 4096}) {
    std::vector<float> logits(size_t(3 * V));
    for (float& v : logits) v = (float(below(1 << 24)) * 0x1p-23f - 1.0f) * 40.0f;
    std::vector<int64_t> targets{0, V / 2, V - 1};
    std::vector<double> nats(3);
    table->nats(logits.data(), targets.data(), nats.data(), 3, V);
    Digest digest;
    digest.add(nats);
    print("nats " + std::to_string(V), digest.value);
  }
  for (int cell = RNN_RELU; cell <= LSTM; ++cell)
    for (Sizes s : {Sizes{1, 1, 1, 3, 1}, {1, 37, 44, 9, 1}, {2, 64, 33, 7, 2}, {3, 33, 5, 5, 9}, {1, 100, 70, 5, 31}, {2, 416, 33, 4, 1}})
      for (int reach : {127, 7})
        for (float scale : {0.05f, 30.0f}) {
          uint64_t digest = network(*table, cell, 8, s, reach, scale);
          print("cell " + std::to_string(cell) + ", " + std::to_string(s.L) + " x " + std::to_string(s.H) + ", B " +
                    std::to_string(s.B) + ", weights " + std::to_string(reach) + ", scale " + std::to_string(scale), digest);
          if (reach < 8 && network(*table, cell, 4, s, reach, scale) != digest)
            return std::fprintf(stderr, "weights kept in 4 bits have another digest\n"), 1;
        }
}
