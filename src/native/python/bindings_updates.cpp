// Optimisers over lists of arrays, and what is computed element by element.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <vector>

#include "buffers.h"
#include "../float/kernels.h"
#include "../float/step.h"
#include "../team/pool.h"

using namespace elman;
using namespace nb::literals;

namespace {

// --- lists of arrays ---

// Arrays of any shape, flattened by their caller, and as many elements in each as in the first list.
struct Lists {
  Arrays arrays;
  std::vector<int64_t> sizes;
  std::vector<float*> take(const std::vector<Floats>& list, const char* name, bool written) {
    bool first = sizes.empty();
    expect(first || list.size() == sizes.size(), "lists of unequal length");
    std::vector<float*> result;
    for (size_t i = 0; i < list.size(); ++i) {
      int64_t size = first ? -1 : sizes[i];
      result.push_back(written ? arrays.out(list[i], name, {size}) : const_cast<float*>(arrays.in(list[i], name, {size})));
      if (first) sizes.push_back(arrays.size(0));
    }
    return result;
  }
};

double grad_norm(const std::vector<Floats>& grads) {
  Lists lists;
  std::vector<float*> g = lists.take(grads, "grads", false);
  Tensors tensors{int64_t(g.size()), lists.sizes.data(), g.data(), nullptr, nullptr, nullptr};
  std::vector<double> sums(size_t(chunks_of(tensors)));
  Native native;
  kernels().squares(tensors, sums.data());
  return norm_of(sums.data(), int64_t(sums.size()));
}

void sgd(const std::vector<Floats>& params, const std::vector<Floats>& grads, float lr, float scale) {
  Lists lists;
  std::vector<float*> p = lists.take(params, "params", true), g = lists.take(grads, "grads", false);
  Native native;
  kernels().sgd({int64_t(p.size()), lists.sizes.data(), p.data(), g.data(), nullptr, nullptr}, lr, scale);
}

void adamw(const std::vector<Floats>& params, const std::vector<Floats>& grads, const std::vector<Floats>& exp_avg,
           const std::vector<Floats>& exp_avg_sq, int64_t step, double lr, double beta1, double beta2, double eps,
           double weight_decay, float scale) {
  expect(step >= 1, "step counts from 1");
  Lists lists;
  std::vector<float*> p = lists.take(params, "params", true), g = lists.take(grads, "grads", false);
  std::vector<float*> m = lists.take(exp_avg, "exp_avg", true), v = lists.take(exp_avg_sq, "exp_avg_sq", true);
  Native native;
  kernels().adamw({int64_t(p.size()), lists.sizes.data(), p.data(), g.data(), m.data(), v.data()},
                  adam_numbers(step, lr, beta1, beta2, eps, weight_decay, scale));
}

// w, g, m: (blocks * rows, columns).
void muon(Floats w, Floats g, Floats m, int64_t blocks, double lr, double momentum, double weight_decay, float scale) {
  Arrays a;
  Muon k{};
  k.w = a.out(w, "w", {-1, -1});
  int64_t rows = a.size(0);
  k.columns = a.size(1);
  expect(blocks > 0 && rows % blocks == 0, "blocks must divide the rows");
  k.blocks = blocks, k.rows = rows / blocks;
  k.g = a.in(g, "g", {rows, k.columns});
  k.m = a.out(m, "m", {rows, k.columns});
  k.scale = scale, k.momentum = float(momentum), k.decay = float(1.0 - lr * weight_decay);
  k.step_size = float(lr * muon_factor(k.rows, k.columns));
  Native native;
  kernels().muon(k);
}

void average(const std::vector<Floats>& params, const std::vector<Floats>& averages, double keep) {
  Lists lists;
  std::vector<float*> p = lists.take(params, "params", false), m = lists.take(averages, "averages", true);
  Native native;
  kernels().average({int64_t(p.size()), lists.sizes.data(), p.data(), nullptr, m.data(), nullptr}, float(1.0 - keep));
}

// --- element by element ---

void dropout(Floats x, Floats y, double p, uint64_t seed, uint64_t offset) {
  check_dropout(p);
  Arrays a;
  const float* from = a.in(x, "x", {-1});
  int64_t n = a.size(0);
  float* to = a.out(y, "y", {n});
  Native native;
  mask(p, seed, offset).apply(from, to, n);
}

void philox(Words words, uint64_t seed, uint64_t offset) {
  Arrays a;
  uint32_t* to = a.out(words, "words", {-1});
  int64_t n = a.size(0);
  Native native;
  kernels().philox(to, n, seed, offset);
}

template <int F>
void pointwise(Floats x, Floats y) {
  Arrays a;
  const float* from = a.in(x, "x", {-1});
  int64_t n = a.size(0);
  float* to = a.out(y, "y", {n});
  Native native;
  kernels().math(F, from, to, n);
}

void log_softmax(Floats x, Floats y) {
  Arrays a;
  const float* from = a.in(x, "x", {-1, -1});
  int64_t rows = a.size(0), n = a.size(1);
  float* to = a.out(y, "y", {rows, n});
  Native native;
  kernels().log_softmax(from, to, rows, n);
}

}  // namespace

void bind_updates(nb::module_& m) {
  m.def("grad_norm", &grad_norm, "grads"_a);
  m.def("sgd", &sgd, nb::kw_only(), "params"_a, "grads"_a, "lr"_a, "scale"_a);
  m.def("adamw", &adamw, nb::kw_only(), "params"_a, "grads"_a, "exp_avg"_a, "exp_avg_sq"_a, "step"_a, "lr"_a,
        "beta1"_a, "beta2"_a, "eps"_a, "weight_decay"_a, "scale"_a);
  m.def("muon", &muon, nb::kw_only(), "w"_a, "g"_a, "m"_a, "blocks"_a, "lr"_a, "momentum"_a, "weight_decay"_a,
        "scale"_a);
  m.def("average", &average, nb::kw_only(), "params"_a, "averages"_a, "keep"_a);
  m.def("dropout", &dropout, nb::kw_only(), "x"_a, "y"_a, "p"_a, "seed"_a, "offset"_a);
  m.def("philox", &philox, nb::kw_only(), "words"_a, "seed"_a, "offset"_a);
  m.def("exp", &pointwise<0>, nb::kw_only(), "x"_a, "y"_a);
  m.def("log", &pointwise<1>, nb::kw_only(), "x"_a, "y"_a);
  m.def("tanh", &pointwise<2>, nb::kw_only(), "x"_a, "y"_a);
  m.def("sigmoid", &pointwise<3>, nb::kw_only(), "x"_a, "y"_a);
  m.def("log_softmax", &log_softmax, nb::kw_only(), "x"_a, "y"_a);
}
