// A layer, the dense output and its loss, forward and backward.
#include <nanobind/nanobind.h>

#include <cmath>

#include "buffers.h"
#include "../float/kernels.h"
#include "../team/pool.h"

using namespace elman;
using namespace nb::literals;

namespace {

// --- one layer ---

// What forward and backward share: the sizes, and the layer's input and weights.
struct LayerInput {
  int64_t T, B, I, H, N;
  const int64_t* ids;
  const float *x, *h0, *c0, *w_ih, *w_hh;

  LayerInput(Arrays& arrays, int cell, MaybeIds ids_, MaybeFloats x_, Floats h0_, MaybeFloats c0_, Floats w_ih_,
             Floats w_hh_) {
    check_cell(cell);
    h0 = arrays.in(h0_, "h0", {-1, -1});
    B = arrays.size(0), H = arrays.size(1), N = gates_of(cell) * H;
    w_ih = arrays.in(w_ih_, "w_ih", {N, -1});
    I = arrays.size(1);
    w_hh = arrays.in(w_hh_, "w_hh", {N, H});
    expect(H > 0 && I > 0, "H and I must be at least 1");
    ids = arrays.in(ids_, "ids", {-1, B});
    if (ids) T = arrays.size(0);
    x = arrays.in(x_, "x", {-1, B, I});
    if (x) T = arrays.size(0);
    expect((ids != nullptr) != (x != nullptr), "give either ids or x");
    c0 = arrays.in(c0_, "c0", {B, H});
    expect((cell == LSTM) == (c0 != nullptr), "c0 goes with an LSTM and with no other cell");
    if (ids) ids = arrays.copy(ids, T * B), check_ids(ids, T * B, 0, I, "token ids");
  }
};

void recurrent(int cell, MaybeIds ids, MaybeFloats x, Floats h0, MaybeFloats c0, Floats w_ih, Floats w_hh,
               MaybeFloats b_ih, MaybeFloats b_hh, Floats out, Floats hn, MaybeFloats cn, MaybeFloats gates,
               MaybeFloats cells) {
  Arrays a;
  LayerInput in(a, cell, ids, x, h0, c0, w_ih, w_hh);
  int64_t T = in.T, B = in.B, H = in.H;
  Forward f{cell, T, B, in.I, H, in.ids, in.x, in.h0, in.c0, in.w_ih, in.w_hh, a.in(b_ih, "b_ih", {in.N}),
            a.in(b_hh, "b_hh", {in.N}), a.out(out, "out", {T, B, H}), a.out(hn, "hn", {B, H}),
            a.out(cn, "cn", {B, H}), a.out(gates, "gates", {T, B, saved_of(cell) * H}),
            a.out(cells, "cells", {T, B, H})};
  expect(!f.b_ih == !f.b_hh, "give both biases or neither");
  expect((cell == LSTM) == (f.cn != nullptr), "cn goes with an LSTM and with no other cell");
  expect(cell == LSTM || !f.cells, "only an LSTM has cells");
  if (!saved_of(cell)) f.gates = nullptr;
  Native native;
  kernels().forward(f);
}

void recurrent_backward(int cell, MaybeIds ids, MaybeFloats x, Floats h0, MaybeFloats c0, Floats w_ih, Floats w_hh,
                        Floats out, MaybeFloats gates, MaybeFloats cells, MaybeFloats d_out, MaybeFloats d_hn,
                        MaybeFloats d_cn, MaybeFloats d_x, MaybeFloats d_h0, MaybeFloats d_c0, MaybeFloats d_w_ih,
                        MaybeFloats d_w_hh, MaybeFloats d_b_ih, MaybeFloats d_b_hh, bool accumulate) {
  Arrays a;
  LayerInput in(a, cell, ids, x, h0, c0, w_ih, w_hh);
  int64_t T = in.T, B = in.B, H = in.H, I = in.I, N = in.N, saved = saved_of(cell) * H;
  Backward k{cell, T, B, I, H, in.ids, in.x, in.h0, in.c0, in.w_ih, in.w_hh, a.in(out, "out", {T, B, H}),
             a.in(gates, "gates", {T, B, saved}), a.in(cells, "cells", {T, B, H}), a.in(d_out, "d_out", {T, B, H}),
             a.in(d_hn, "d_hn", {B, H}), a.in(d_cn, "d_cn", {B, H}), a.out(d_x, "d_x", {T, B, I}),
             a.out(d_h0, "d_h0", {B, H}), a.out(d_c0, "d_c0", {B, H}), a.out(d_w_ih, "d_w_ih", {N, I}),
             a.out(d_w_hh, "d_w_hh", {N, H}), a.out(d_b_ih, "d_b_ih", {N}), a.out(d_b_hh, "d_b_hh", {N}), accumulate};
  expect(!saved || k.gates, "gates are missing: run forward with them");
  expect((cell == LSTM) == (k.cells != nullptr), "cells go with an LSTM and with no other cell");
  expect(cell == LSTM || (!k.d_cn && !k.d_c0), "only an LSTM has gradients of c");
  expect(!k.d_x || in.x, "token ids have no gradient");
  expect(!k.d_c0 || k.d_h0, "d_c0 goes with d_h0");
  Native native;
  kernels().backward(k);
}

// --- the dense output ---

void linear(Floats x, Floats w, MaybeFloats b, Floats y) {
  Arrays a;
  Linear l{};
  l.w = a.in(w, "w", {-1, -1});
  l.N = a.size(0), l.K = a.size(1);
  l.x = a.in(x, "x", {-1, l.K});
  l.rows = a.size(0);
  l.b = a.in(b, "b", {l.N});
  l.y = a.out(y, "y", {l.rows, l.N});
  Native native;
  kernels().linear(l);
}

void linear_backward(Floats x, Floats w, Floats d_y, MaybeFloats d_x, MaybeFloats d_w, MaybeFloats d_b,
                     bool accumulate) {
  Arrays a;
  LinearBackward l{};
  l.w = a.in(w, "w", {-1, -1});
  l.N = a.size(0), l.K = a.size(1);
  l.x = a.in(x, "x", {-1, -1, l.K});
  l.T = a.size(0), l.B = a.size(1);
  l.d_y = a.in(d_y, "d_y", {l.T, l.B, l.N});
  l.d_x = a.out(d_x, "d_x", {l.T, l.B, l.K});
  l.d_w = a.out(d_w, "d_w", {l.N, l.K});
  l.d_b = a.out(d_b, "d_b", {l.N});
  l.accumulate = accumulate;
  Native native;
  kernels().linear_backward(l);
}

// hidden (T, B, H), the dense weights and the targets of both directions of the loss.
struct LossInput {
  int64_t T, B, H, V;
  const float *hidden, *w, *b;
  const int64_t* targets;

  LossInput(Arrays& a, Floats hidden_, Floats w_, MaybeFloats b_, Ids targets_) {
    w = a.in(w_, "w", {-1, -1});
    V = a.size(0), H = a.size(1);
    expect(V > 0 && H > 0, "V and H must be at least 1");
    hidden = a.in(hidden_, "hidden", {-1, -1, H});
    T = a.size(0), B = a.size(1);
    b = a.in(b_, "b", {V});
    targets = a.copy(a.in(targets_, "targets", {T, B}), T * B);
    check_ids(targets, T * B, -1, V, "targets");
  }
};

float cross_entropy(Floats hidden, Floats w, MaybeFloats b, Ids targets, Floats nats, MaybeFloats saved) {
  Arrays a;
  LossInput in(a, hidden, w, b, targets);
  float mean = std::nanf("");  // of nothing, as in torch
  Loss l{in.T, in.B, in.H, in.V, in.hidden, in.w, in.b, in.targets, a.out(nats, "nats", {in.T, in.B}), &mean,
         a.out(saved, "saved", {in.T, in.B, in.V})};
  Native native;
  if (in.T > 0 && in.B > 0) kernels().loss(l);
  return mean;
}

void cross_entropy_backward(Floats hidden, Floats w, MaybeFloats b, Ids targets, MaybeFloats saved, float d_mean,
                            MaybeFloats d_hidden, MaybeFloats d_w, MaybeFloats d_b, bool accumulate) {
  Arrays a;
  LossInput in(a, hidden, w, b, targets);
  LossBackward l{in.T, in.B, in.H, in.V, in.hidden, in.w, in.b, in.targets,
                 a.in(saved, "saved", {in.T, in.B, in.V}), d_mean, a.out(d_hidden, "d_hidden", {in.T, in.B, in.H}),
                 a.out(d_w, "d_w", {in.V, in.H}), a.out(d_b, "d_b", {in.V}), accumulate};
  Native native;
  kernels().loss_backward(l);
}

}  // namespace

void bind_layers(nb::module_& m) {
  m.def("recurrent", &recurrent, nb::kw_only(), "cell"_a, "ids"_a.none() = nb::none(), "x"_a.none() = nb::none(),
        "h0"_a, "c0"_a.none(), "w_ih"_a, "w_hh"_a, "b_ih"_a.none(), "b_hh"_a.none(), "out"_a, "hn"_a, "cn"_a.none(),
        "gates"_a.none() = nb::none(), "cells"_a.none() = nb::none());
  m.def("recurrent_backward", &recurrent_backward, nb::kw_only(), "cell"_a, "ids"_a.none() = nb::none(),
        "x"_a.none() = nb::none(), "h0"_a, "c0"_a.none(), "w_ih"_a, "w_hh"_a, "out"_a, "gates"_a.none(),
        "cells"_a.none(), "d_out"_a.none(), "d_hn"_a.none(), "d_cn"_a.none(), "d_x"_a.none(), "d_h0"_a.none(),
        "d_c0"_a.none(), "d_w_ih"_a.none(), "d_w_hh"_a.none(), "d_b_ih"_a.none(), "d_b_hh"_a.none(),
        "accumulate"_a = false);
  m.def("linear", &linear, nb::kw_only(), "x"_a, "w"_a, "b"_a.none(), "y"_a);
  m.def("linear_backward", &linear_backward, nb::kw_only(), "x"_a, "w"_a, "d_y"_a, "d_x"_a.none(), "d_w"_a.none(),
        "d_b"_a.none(), "accumulate"_a = false);
  m.def("cross_entropy", &cross_entropy, nb::kw_only(), "hidden"_a, "w"_a, "b"_a.none(), "targets"_a, "nats"_a,
        "saved"_a.none() = nb::none());
  m.def("cross_entropy_backward", &cross_entropy_backward, nb::kw_only(), "hidden"_a, "w"_a, "b"_a.none(),
        "targets"_a, "saved"_a.none(), "d_mean"_a, "d_hidden"_a.none(), "d_w"_a.none(), "d_b"_a.none(),
        "accumulate"_a = false);
}
