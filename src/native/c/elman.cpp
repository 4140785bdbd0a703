// libelman's border: everything that a caller can get wrong is refused here, for nothing after it checks again.
#include "elman.h"

#include <cmath>
#include <string>

#include "../float/kernels.h"
#include "../team/environment.h"
#include "../team/pool.h"
#include "error.h"

namespace {

using namespace elman;

constexpr int64_t kMost = int64_t(1) << 40;  // elements of a buffer; products and sums of a few sizes stay far from 2^63

#if !defined(ELMAN_NO_THREADS)
thread_local
#endif
std::string error;

using c::check_ids;
using c::fail;
int refuse(bool wrong, const char* text) { return wrong ? fail(text) : 0; }

// The first that failed, or 0.
template <class... Checks>
int any(Checks... checks) {
  int failed = 0;
  ((failed = failed ? failed : checks()), ...);
  return failed;
}

bool is_size(int64_t n) { return n >= 0 && n <= kMost; }
template <class... Sizes>
bool fit(int64_t first, Sizes... sizes) {
  bool all = is_size(first);
  ((all = all && is_size(sizes) && is_size(first = product(first, sizes))), ...);
  return all;
}

int check_isa() {
  std::string wrong = refused_isa();
  return wrong.empty() ? 0 : fail(wrong);
}

int check_layer(const elman_layer* l) {
  if (int failed = any([&] { return refuse(!l, "no layer was given"); },
                       [&] { return refuse(l->cell < ELMAN_RNN_RELU || l->cell > ELMAN_LSTM, "cell must be in 0..3"); },
                       [&] { return refuse(l->I < 1 || l->H < 1, "I and H must be at least 1"); },
                       [&] {
                         return refuse(!fit(l->T, l->B, 4 * (l->H < kMost ? l->H : kMost)) || !fit(l->T, l->B, l->I) || !fit(l->H, 4, l->I) || !fit(l->H, 4, l->H),
                                       "a size is below 0, or an array has more than 2^40 elements");
                       },
                       [&] { return refuse(!l->ids == !l->x, "give either ids or x"); },
                       [&] { return refuse(!l->h0 || !l->w_ih || !l->w_hh, "h0, w_ih or w_hh is missing"); },
                       [&] { return refuse((l->cell == ELMAN_LSTM) != (l->c0 != nullptr), "c0 goes with an LSTM and with no other cell"); },
                       [&] { return refuse(!l->b_ih != !l->b_hh, "give both biases or neither"); }, check_isa))
    return failed;
  return l->ids ? check_ids(l->ids, l->T * l->B, 0, l->I, "token ids") : 0;
}

}  // namespace

int elman::c::fail(std::string text) {
  error = std::move(text);
  return 1;
}
int elman::c::check_ids(const int64_t* ids, int64_t count, int64_t first, int64_t end, const char* what) {
  for (int64_t i = 0; i < count; ++i)
    if (ids[i] < first || ids[i] >= end)
      return fail(std::string(what) + " must be in " + std::to_string(first) + ".." + std::to_string(end - 1) + ", got " +
                  std::to_string(ids[i]) + " at position " + std::to_string(i));
  return 0;
}

int32_t elman_abi(void) { return ELMAN_ABI; }
const char* elman_version(void) { return ELMAN_VERSION; }
const char* elman_error(void) { return error.c_str(); }
const char* elman_isa(void) { return kernels().isa; }
int elman_set_isa(const char* name) {
  std::string wrong = set_isa(name ? name : "");
  return wrong.empty() ? 0 : fail(wrong);
}
int32_t elman_threads(void) { return get_threads(); }
int elman_set_threads(int32_t n) {
  if (n < 1 || n > 1024) return fail("threads must be in 1..1024");
  set_threads(n);
  return 0;
}

int elman_forward(const elman_layer* l, float* out, float* hn, float* cn, float* gates, float* cells) {
  if (int failed = any([&] { return check_layer(l); }, [&] { return refuse(!out || !hn, "out or hn is missing"); },
                       [&] { return refuse((l->cell == ELMAN_LSTM) != (cn != nullptr), "cn goes with an LSTM and with no other cell"); },
                       [&] { return refuse(l->cell != ELMAN_LSTM && cells, "only an LSTM has cells"); }))
    return failed;
  FloatEnvironment environment;
  kernels().forward({l->cell, l->T, l->B, l->I, l->H, l->ids, l->x, l->h0, l->c0, l->w_ih, l->w_hh, l->b_ih, l->b_hh, out, hn, cn,
                     saved_of(l->cell) ? gates : nullptr, cells});
  return 0;
}

int elman_backward(const elman_layer* l, const elman_gradients* g) {
  if (int failed = any([&] { return check_layer(l); }, [&] { return refuse(!g || !g->out, "out is missing"); },
                       [&] { return refuse(saved_of(l->cell) && !g->gates, "gates are missing: call elman_forward with them"); },
                       [&] { return refuse((l->cell == ELMAN_LSTM) != (g->cells != nullptr), "cells go with an LSTM and with no other cell"); },
                       [&] { return refuse(l->cell != ELMAN_LSTM && (g->d_cn || g->d_c0), "only an LSTM has gradients of c"); },
                       [&] { return refuse(g->d_x && l->ids, "token ids have no gradient"); },
                       [&] { return refuse(g->d_c0 && !g->d_h0, "d_c0 goes with d_h0"); }))
    return failed;
  FloatEnvironment environment;
  kernels().backward({l->cell, l->T, l->B, l->I, l->H, l->ids, l->x, l->h0, l->c0, l->w_ih, l->w_hh, g->out, g->gates, g->cells,
                      g->d_out, g->d_hn, g->d_cn, g->d_x, g->d_h0, g->d_c0, g->d_w_ih, g->d_w_hh, g->d_b_ih, g->d_b_hh, false});
  return 0;
}

int elman_cross_entropy(int64_t T, int64_t B, int64_t H, int64_t V, const float* hidden, const float* w, const float* b,
                        const int64_t* targets, float* nats, float* mean) {
  if (int failed = any([&] { return refuse(V < 1 || H < 1, "V and H must be at least 1"); },
                       [&] { return refuse(!fit(T, B, H) || !fit(T, B, V) || !fit(V, H), "a size is below 0, or an array has more than 2^40 elements"); },
                       [&] { return refuse(!hidden || !w || !targets || !nats || !mean, "an array is missing"); },
                       [&] { return check_ids(targets, T * B, -1, V, "targets"); }, check_isa))
    return failed;
  FloatEnvironment environment;
  *mean = std::nanf("");                   // of nothing
  if (T > 0 && B > 0) kernels().loss({T, B, H, V, hidden, w, b, targets, nats, mean, nullptr});
  return 0;
}
