// The small jobs whose instructions count.py counts: `count JOB` does one of them once untimed, and once in `measured`, where
// callgrind collects. ELMAN_ISA and the second argument, an integer table's name, choose the kernels.
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "coding/block.h"
#include "coding/fastest.h"
#include "coding/messages.h"
#include "float/kernels.h"
#include "float/step.h"
#include "integer/packed.h"
#include "team/pool.h"

using namespace elman;
namespace elman::integer {
namespace avx2 { extern const Table table; }
namespace portable { extern const Table table; }
}  // namespace elman::integer

namespace {

using Job = std::function<void()>;
using Floats = std::vector<float>;

uint32_t state = 1;
uint32_t word() { return state = state * 1664525u + 1013904223u, state >> 8; }
Floats floats(int64_t n, float scale = 0.06f) {
  Floats x(static_cast<size_t>(n));
  for (float& v : x) v = (float(word()) * 0x1p-23f - 1.0f) * scale;
  return x;
}
template <class X>
std::vector<X> wholes(int64_t n, int64_t bound, int64_t first = 0) {
  std::vector<X> x(static_cast<size_t>(n));
  for (X& v : x) v = X(int64_t(word()) % bound + first);
  return x;
}

constexpr int64_t T = 8, B = 12, V = 44, H = 96;

// A layer that reads ids, forward and backward.
struct LayerJobs {
  int cell;
  int64_t N = gates_of(cell) * H, S = saved_of(cell) * H;
  std::vector<int64_t> ids = wholes<int64_t>(T * B, V);
  Floats w_ih = floats(N * V), w_hh = floats(N * H), b_ih = floats(N), b_hh = floats(N), h0 = floats(B * H), c0 = h0;
  Floats out = Floats(T * B * H), hn = h0, cn = h0, gates = Floats(size_t(T * B * S)), cells = out, d_out = floats(T * B * H);
  Floats d_h0 = h0, d_w_ih = w_ih, d_w_hh = w_hh, d_b_ih = b_ih, d_b_hh = b_hh;
  bool lstm = cell == LSTM;
  void forward() {
    kernels().forward({cell, T, B, V, H, ids.data(), nullptr, h0.data(), lstm ? c0.data() : nullptr, w_ih.data(), w_hh.data(),
                       b_ih.data(), b_hh.data(), out.data(), hn.data(), lstm ? cn.data() : nullptr, S ? gates.data() : nullptr,
                       lstm ? cells.data() : nullptr});
  }
  void backward() {
    kernels().backward({cell, T, B, V, H, ids.data(), nullptr, h0.data(), lstm ? c0.data() : nullptr, w_ih.data(), w_hh.data(),
                        out.data(), S ? gates.data() : nullptr, lstm ? cells.data() : nullptr, d_out.data(), nullptr, nullptr,
                        nullptr, d_h0.data(), nullptr, d_w_ih.data(), d_w_hh.data(), d_b_ih.data(), d_b_hh.data(), false});
  }
};

struct LossJobs {
  std::vector<int64_t> targets = wholes<int64_t>(T * B, V);
  Floats hidden = floats(T * B * H), w = floats(V * H), b = floats(V), nats = Floats(T * B), saved = Floats(T * B * V);
  Floats d_hidden = hidden, d_w = w, d_b = b;
  float mean = 0.0f;
  void forward() {
    kernels().loss({T, B, H, V, hidden.data(), w.data(), b.data(), targets.data(), nats.data(), &mean, saved.data()});
  }
  void backward() {
    kernels().loss_backward({T, B, H, V, hidden.data(), w.data(), b.data(), targets.data(), saved.data(), 1.0f, d_hidden.data(),
                             d_w.data(), d_b.data(), false});
  }
};

// A whole step of training: two layers, clipping, SGD.
struct StepJob {
  int64_t N = 3 * H;
  std::vector<Floats> weights{floats(N * V), floats(N * H), floats(N), floats(N), floats(N * H), floats(N * H), floats(N), floats(N),
                              floats(V * H), floats(V)};
  std::vector<int64_t> ids = wholes<int64_t>(T * B, V), targets = wholes<int64_t>(T * B, V);
  Floats h = Floats(2 * B * H);
  Workspace memory;
  void run() {
    auto at = [&](size_t i) { return weights[i].data(); };
    Model model{GRU, 2, V, H, {{at(0), at(1), at(2), at(3)}, {at(4), at(5), at(6), at(7)}}, at(8), at(9)};
    Update update{};
    update.lr = 0.1, update.clip = 1.0, update.step = 1;
    train_step(model, memory, {T, B, ids.data(), targets.data(), h.data(), nullptr}, Dropout{}, update);
  }
};

// One stream that is scored by integers: two layers of an LSTM, weights of 8 or 4 bits.
struct StreamJob {
  const integer::Table& table;
  int bits;
  int64_t L = 2, N = 4 * H, steps = 24;
  std::vector<int8_t> ih = wholes<int8_t>(N * H, 15, -7), hh = wholes<int8_t>(N * H, 15, -7), out = wholes<int8_t>(V * H, 15, -7);
  Floats scale = Floats(size_t(N), 0.5f), out_scale = Floats(size_t(V), 0.01f), out_bias = floats(V);
  std::vector<int32_t> bias = wholes<int32_t>(N, 999), inputs = wholes<int32_t>(V * N, 999);
  std::vector<integer::LayerArrays> layers{{nullptr, nullptr, hh.data(), scale.data(), nullptr, nullptr},
                                           {ih.data(), scale.data(), hh.data(), scale.data(), bias.data(), nullptr}};
  integer::Packed packed{table, LSTM, bits, H, V, layers, inputs.data(), out.data(), out_scale.data(), out_bias.data()};
  std::vector<int8_t> h = std::vector<int8_t>(size_t(L * H));
  std::vector<int16_t> c = std::vector<int16_t>(size_t(L * H));
  std::vector<int64_t> ids = wholes<int64_t>(steps, V);
  std::vector<double> nats = std::vector<double>(size_t(steps));
  integer::Memory memory;
  void run() {
    void* room = memory.room(table.memory_of(packed.network(), 1, 1));
    integer::Rows rows{&packed.network(), 1, 1, h.data(), c.data(), room, nullptr};
    table.read(rows, steps, ids.data(), nullptr, false, ids.data(), nats.data());
  }
};

// Contexts alone: a KB of log lines coded; and one line of a store that has read others.
struct CodingJobs {
  std::vector<uint8_t> text;
  coding::Alphabet alphabet{};
  std::unique_ptr<coding::Messages> messages;
  std::vector<std::vector<uint8_t>> codes;
  CodingJobs() {
    for (int i = 0; i < 400; ++i) {
      char line[96];
      int n = std::snprintf(line, sizeof line, "10.0.%d.%d GET /item/%u HTTP/1.1 200 %u\n", i % 7, i % 31, word() % 1000, word() % 9000);
      text.insert(text.end(), line, line + n);
    }
    messages = std::make_unique<coding::Messages>(6, nullptr, alphabet, '\n', text);
    const uint8_t* line = text.data();
    int64_t size = static_cast<const uint8_t*>(std::memchr(line, '\n', text.size())) - line + 1;
    codes = messages->encode(nullptr, {{line, size}});
  }
  void block() { coding::encode_block({6, 1, 1024}, nullptr, alphabet, text.data()); }
  void get() {
    int64_t too_long;
    messages->decode(nullptr, {{codes[0].data(), int64_t(codes[0].size())}}, 1000, too_long);
  }
};

}  // namespace

extern "C" __attribute__((noinline)) void measured(const Job& job) { job(); }

int main(int count, char** arguments) {
  std::string which = count > 1 ? arguments[1] : "", isa = count > 2 ? arguments[2] : "portable";
  const integer::Table& table = isa == "avx2" ? integer::avx2::table : integer::portable::table;
  coding::only_plain = isa != "avx2";  // the coder asks the processor, not ELMAN_ISA
  set_threads(1);
  Job job;
  const char* names[] = {"rnn_relu", "rnn_tanh", "gru", "lstm"};
  for (int cell = 0; cell < 4; ++cell) {
    std::string name = names[cell];
    if (which != name + "_forward" && which != name + "_backward") continue;
    auto layer = std::make_shared<LayerJobs>(LayerJobs{cell});
    layer->forward();
    if (which == name + "_forward") job = [layer] { layer->forward(); };
    else job = [layer] { layer->backward(); };
  }
  if (which == "loss" || which == "loss_backward") {
    auto loss = std::make_shared<LossJobs>();
    loss->forward();
    if (which == "loss") job = [loss] { loss->forward(); };
    else job = [loss] { loss->backward(); };
  }
  if (which == "step") {
    auto step = std::make_shared<StepJob>();
    job = [step] { step->run(); };
  }
  for (int bits : {8, 4})
    if (which == "stream_" + std::to_string(bits)) {
      std::shared_ptr<StreamJob> stream(new StreamJob{table, bits});  // which cannot be moved
      job = [stream] { stream->run(); };
    }
  if (which == "code_1kb" || which == "get") {
    auto coding = std::make_shared<CodingJobs>();
    if (which == "get") job = [coding] { coding->get(); };
    else job = [coding] { coding->block(); };
  }
  if (!job) return std::fprintf(stderr, "no job %s\n", which.c_str()), 2;
  job();
  measured(job);
}
