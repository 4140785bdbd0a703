// What driver.cpp does not show by its digests: sizes of zero, memory and threads that the system refuses, callers at the
// same time, a forked child, and the counting of cores. Prints one line for each; exits with 1 if one is wrong.
// build_driver.sh builds it, and its memory is NaN before it is written where a sanitizer watches.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "team/cores.h"
#include "float/kernels.h"
#include "team/pool.h"

using namespace elman;
using Floats = std::vector<float>;
using Ids = std::vector<int64_t>;

namespace {

int wrong = 0;
void report(const char* what, bool fine) {
  std::printf("%s: %s\n", what, fine ? "right" : "WRONG");
  std::fflush(stdout);
  wrong += !fine;
}

Floats some(int64_t n) {
  Floats x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = float(int(i * 7 % 11) - 5) / 16.0f;
  return x;
}
Floats unset(int64_t n) { return Floats(static_cast<size_t>(n), __builtin_nanf("")); }
bool written(const Floats& x) {
  for (float v : x)
    if (v != v) return false;
  return true;
}
bool zeros(const Floats& x) {
  for (float v : x)
    if (v != 0.0f) return false;
  return true;
}

bool layer(int cell, int64_t T, int64_t B, int64_t I, int64_t H, bool with_ids) {
  int64_t N = gates_of(cell) * H, S = saved_of(cell) * H, C = cell == LSTM ? B * H : 0;
  if (with_ids && I == 0 && T && B) return true;  // there is no such id
  Ids ids(size_t(T * B), 0);
  Floats x = some(T * B * I), h0 = some(B * H), c0 = some(C), w_ih = some(N * I), w_hh = some(N * H), b = some(N);
  Floats out = unset(T * B * H), hn = unset(B * H), cn = unset(C), gates = unset(T * B * S), cells = unset(T * C);
  Forward f{};
  f.cell = cell, f.T = T, f.B = B, f.I = I, f.H = H, f.ids = with_ids ? ids.data() : nullptr;
  f.x = with_ids ? nullptr : x.data(), f.h0 = h0.data(), f.c0 = cell == LSTM ? c0.data() : nullptr;
  f.w_ih = w_ih.data(), f.w_hh = w_hh.data(), f.b_ih = b.data(), f.b_hh = b.data(), f.out = out.data();
  f.hn = hn.data(), f.cn = cell == LSTM ? cn.data() : nullptr, f.gates = S ? gates.data() : nullptr;
  f.cells = cell == LSTM ? cells.data() : nullptr;
  kernels().forward(f);
  bool fine = written(out) && written(hn) && written(cn) && written(gates) && written(cells);
  Floats d_out = some(T * B * H), d_x = unset(T * B * I), d_h0 = unset(B * H), d_c0 = unset(C), d_w_ih = unset(N * I);
  Floats d_w_hh = unset(N * H), d_b_ih = unset(N), d_b_hh = unset(N);
  Backward k{};
  k.cell = cell, k.T = T, k.B = B, k.I = I, k.H = H, k.ids = f.ids, k.x = f.x, k.h0 = f.h0, k.c0 = f.c0, k.w_ih = f.w_ih;
  k.w_hh = f.w_hh, k.out = out.data(), k.gates = f.gates, k.cells = f.cells, k.d_out = d_out.data();
  k.d_x = with_ids ? nullptr : d_x.data(), k.d_h0 = d_h0.data(), k.d_c0 = cell == LSTM ? d_c0.data() : nullptr;
  k.d_w_ih = d_w_ih.data(), k.d_w_hh = d_w_hh.data(), k.d_b_ih = d_b_ih.data(), k.d_b_hh = d_b_hh.data();
  kernels().backward(k);
  fine &= (with_ids || written(d_x)) && written(d_h0) && written(d_c0) && written(d_w_ih) && written(d_w_hh);
  fine &= written(d_b_ih) && written(d_b_hh);
  if (T * B == 0) fine &= zeros(d_w_ih) && zeros(d_w_hh) && zeros(d_b_ih) && zeros(d_b_hh);
  return fine;
}

bool dense(int64_t T, int64_t B, int64_t K, int64_t N) {
  int64_t rows = T * B;
  Floats x = some(rows * K), w = some(N * K), b = some(N), y = unset(rows * N), d_y = some(rows * N);
  kernels().linear({rows, K, N, x.data(), w.data(), b.data(), y.data()});
  bool fine = written(y);
  for (int64_t i = 0; i < rows * N && K == 0; ++i) fine &= y[size_t(i)] == b[size_t(i % N)];
  Floats d_x = unset(rows * K), d_w = unset(N * K), d_b = unset(N);
  kernels().linear_backward({T, B, K, N, x.data(), w.data(), d_y.data(), d_x.data(), d_w.data(), d_b.data(), false});
  fine &= written(d_x) && written(d_w) && written(d_b) && (N || zeros(d_x)) && (rows || (zeros(d_w) && zeros(d_b)));
  Ids targets(static_cast<size_t>(rows), N ? 0 : -1);
  for (bool keep : {false, true}) {
    Floats nats = unset(rows), mean = unset(1), saved = unset(rows * N);
    d_x = unset(rows * K), d_w = unset(N * K), d_b = unset(N);
    float* kept = keep ? saved.data() : nullptr;
    kernels().loss({T, B, K, N, x.data(), w.data(), b.data(), targets.data(), nats.data(), mean.data(), kept});
    kernels().loss_backward({T, B, K, N, x.data(), w.data(), b.data(), targets.data(), kept, 1.0f, d_x.data(), d_w.data(),
                             d_b.data(), false});
    fine &= written(nats) && (!keep || written(saved)) && written(d_x) && written(d_w) && written(d_b);
    fine &= (mean[0] == mean[0]) == (rows && N);  // the mean of nothing is not a number
    fine &= (N || zeros(d_x)) && (rows || (zeros(d_w) && zeros(d_b)));
  }
  kernels().log_softmax(d_y.data(), y.data(), rows, N);
  return fine && written(y);
}

bool generation(int cell, int64_t B, int64_t V, int64_t H) {
  int64_t N = gates_of(cell) * H, packed = cell == GRU ? packed_size(2 * H, H) + packed_size(H, H) : packed_size(N, H);
  Floats w_ih = some(N * V), w_hh = some(N * H), b = some(N), hh(static_cast<size_t>(packed)), input(size_t(V * N));
  Floats bias(static_cast<size_t>(N)), w = some(V * H), w_out(size_t(packed_size(V, H))), b_out = some(V);
  Floats h(size_t(B * H)), c(size_t(B * H)), logits = unset(B * V);
  kernels().decoder_pack(cell, V, H, true, w_ih.data(), w_hh.data(), b.data(), b.data(), hh.data(), input.data(), bias.data());
  kernels().decoder_pack_output(V, H, w.data(), w_out.data());
  DecoderLayer first{hh.data(), cell == GRU ? b.data() + 2 * H : nullptr, input.data(), bias.data()};
  Decoder d{cell, 1, B, H, V, &first, w_out.data(), b_out.data(), h.data(), c.data(), logits.data()};
  Ids prompt(size_t(2 * B), 0), ids(size_t(3 * B), -1);
  std::vector<double> draws(size_t(3 * B), 0.5);
  std::vector<uint8_t> seen(size_t(B * V));
  kernels().decoder_read(d, 0, nullptr);
  if (V) kernels().decoder_read(d, 2, prompt.data());
  bool numbers = kernels().decoder_generate(d, 3, {nullptr, 1.2f, 1.0f, 2, 0.9, 0.0, draws.data(), seen.data()}, ids.data());
  bool fine = numbers == (V > 0 || B == 0) && (V == 0 || written(logits));
  for (int64_t id : ids) fine &= id >= 0;
  return fine;
}

void sizes_of_zero() {
  bool layers = true, denses = true, generations = true;
  const int64_t few[] = {0, 1, 3, 19};
  for (int64_t T : few)
    for (int64_t B : few)
      for (int64_t I : few)
        for (int64_t H : few) {
          denses &= dense(T, B, I, H);
          for (int cell = 0; cell < 4; ++cell) layers &= layer(cell, T, B, I, H, false) && layer(cell, T, B, I, H, true);
          if (T == 0)
            for (int cell = 0; cell < 4; ++cell) generations &= generation(cell, B, I, H);
        }
  Tensors none{0, nullptr, nullptr, nullptr, nullptr, nullptr};
  double nothing = -1.0;
  kernels().squares(none, &nothing);
  kernels().sgd(none, 1.0f, 1.0f);
  kernels().philox(nullptr, 0, 1, 2);
  kernels().dropout(nullptr, nullptr, 1, 0, 1, 2, 3, 1.0f);
  kernels().math(0, nullptr, nullptr, 0);
  report("layers with sizes of zero", layers);
  report("dense layers and losses with sizes of zero", denses);
  report("generation with sizes of zero", generations);
}

template <class F>
bool refuses(F&& f) {
  try {
    f();
    return false;
  } catch (const std::bad_alloc&) {
    return true;
  }
}

// y = a matrix of ones times ones: 100 everywhere.
bool still_right() {
  Floats x(5000, 1.0f), y(2500);
  kernels().linear({50, 100, 50, x.data(), x.data(), nullptr, y.data()});
  for (float v : y)
    if (v != 100.0f) return false;
  return true;
}

// Whether a region of `want` threads gives each its number and its memory, and how many serve.
bool region_is_right(int want, int& serving) {
  Region region(want);
  Shared all = region.shared(64);
  Each own = region.each(3);
  serving = region.n();
  std::atomic<int> sum{0};
  region.run([&](const Team& team) {
    for (int i = 0; i < 3; ++i) team[own][i] = float(team.id);
    team[all][team.id % 64] = float(team.id);
    team.barrier();
    sum += int(team[own][0] + team[own][2]) + int(team[all][(team.id + 1) % team.n % 64]);
  });
  return sum == 3 * (serving * (serving - 1) / 2);
}

void refusals() {
  int64_t huge = int64_t(1) << 40, vast = INT64_MAX / 2;
  bool absurd = true;
  for (int64_t n : {huge, vast}) {
    absurd &= refuses([&] { kernels().linear({1, n, n, nullptr, nullptr, nullptr, nullptr}); });
    absurd &= refuses([&] { Region(2).shared(n * 2); }) || n == huge;
    for (int cell = 0; cell < 4; ++cell) {
      Forward f{};
      f.cell = cell, f.T = 1, f.B = 1, f.I = n, f.H = n;
      absurd &= refuses([&] { kernels().forward(f); });
      Backward k{};
      k.cell = cell, k.T = n, k.B = n, k.I = 1, k.H = 1;
      absurd &= refuses([&] { kernels().backward(k); });
    }
    absurd &= still_right();
  }
  report("absurd sizes raise bad_alloc", absurd);

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  int before = get_threads(), serving = 0;
  rlimit old;
  getrlimit(RLIMIT_AS, &old);
  long pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  set_threads(before + 40);
  rlimit tight = old;
  tight.rlim_cur = rlim_t(pages) * rlim_t(sysconf(_SC_PAGESIZE)) + (rlim_t(4) << 20);  // less than one thread's stack
  if (pages && setrlimit(RLIMIT_AS, &tight) == 0) {
    bool fine = true;
    for (int call = 0; call < 3; ++call) fine &= region_is_right(before + 40, serving) && serving < before + 40;
    report("threads that do not start leave those that do", fine && still_right());
    Floats x(4000, 1.0f);
    Backward k{};
    k.cell = RNN_TANH, k.T = 4000, k.B = 4000, k.I = 1, k.H = 1;
    report("memory that is refused raises bad_alloc", refuses([&] { kernels().backward(k); }) && still_right());
    setrlimit(RLIMIT_AS, &old);
  }
  set_threads(before + 3);
  report("threads that start later serve", region_is_right(before + 3, serving) && serving == before + 3);
  set_threads(before);
#endif
}

void callers() {
  std::atomic<bool> fine{true};
  std::vector<std::thread> all;
  for (int caller = 0; caller < 4; ++caller)
    all.emplace_back([&, caller] {
      int serving;
      for (int round = 0; round < 20; ++round)
        if (!(caller % 2 ? region_is_right(3, serving) && still_right() : layer(LSTM, 3, 9, 5, 33, round % 2))) fine = false;
    });
  for (std::thread& one : all) one.join();
  report("four callers at once", fine);
}

void fork_a_child() {
#if !defined(__SANITIZE_THREAD__)
  int status = -1;
  pid_t child = fork();
  if (child == 0) _exit(still_right() && layer(GRU, 3, 9, 5, 33, true) ? 0 : 1);
  report("a forked child computes", waitpid(child, &status, 0) == child && status == 0 && still_right());
#endif
}

void cores() {
  char root[] = "/tmp/elman-cores-XXXXXX";
  if (!mkdtemp(root)) return report("cores", false);
  std::string at = root;
  std::vector<std::string> made;
  auto folder = [&](const std::string& name) { mkdir((at + name).c_str(), 0700), made.push_back(at + name); };
  auto file = [&](const std::string& name, const char* text) { std::ofstream(at + name) << text, made.push_back(at + name); };
  for (const char* name : {"/a", "/a/b", "/cpu,cpuacct", "/cpu,cpuacct/job", "/cpu", "/cpu/old"}) folder(name);
  file("/a/cpu.max", "250000 100000\n"), file("/a/b/cpu.max", "max 100000\n");
  file("/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n"), file("/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  file("/cpu/old/cpu.cfs_quota_us", "-1\n"), file("/cpu/old/cpu.cfs_period_us", "100000\n");
  bool fine = cgroup_limit("0::/a/b\n", at) == 3 && cgroup_limit("0::/a\n", at) == 3 && cgroup_limit("0::/\n", at) == 0;
  fine &= cgroup_limit("4:cpu,cpuacct:/job\n0::/a\n", at) == 2 && cgroup_limit("2:memory:/job\n", at) == 0;
  fine &= cgroup_limit("4:cpu:/old/gone\n", at) == 0 && cgroup_limit("nonsense\n:\n", at) == 0 && cgroup_limit("", at) == 0;
  while (!made.empty()) std::remove(made.back().c_str()), made.pop_back();
  rmdir(root);
  report("quotas of control groups", fine && usable_cores() >= 1);

  unsetenv("ELMAN_THREADS"), setenv("LOCAL_WORLD_SIZE", "4", 1);
  fine = default_threads(8) == 2 && default_threads(9) == 2 && default_threads(2) == 1;
  setenv("LOCAL_WORLD_SIZE", "0", 1), fine &= default_threads(8) == 8;
  setenv("LOCAL_WORLD_SIZE", "two", 1), fine &= default_threads(8) == 8;
  setenv("LOCAL_WORLD_SIZE", "2", 1), setenv("ELMAN_THREADS", "7", 1), fine &= default_threads(8) == 7;
  report("threads from the environment", fine);
}

}  // namespace

int main() {
  std::fprintf(stderr, "%s, %d threads\n", kernels().isa, get_threads());
  fork_a_child();
  sizes_of_zero();
  refusals();
  callers();
  fork_a_child();
  cores();
  return wrong != 0;
}
