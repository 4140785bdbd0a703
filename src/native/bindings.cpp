// The Python module elman.kernels._cpu. Tensors arrive as addresses (0: null) and sizes that cpu.py has checked; token
// ids and targets are checked here, because only they can lead outside a buffer by their values. The GIL is released.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "kernels.h"
#include "pool.h"

namespace nb = nanobind;
using namespace elman;

namespace {

using Address = std::uintptr_t;
float* floats(Address a) { return reinterpret_cast<float*>(a); }
const int64_t* ids_at(Address a) { return reinterpret_cast<const int64_t*>(a); }

void check_ids(const int64_t* ids, int64_t count, int64_t first, int64_t V, const char* what) {
  for (int64_t i = 0; i < count; ++i)
    if (ids[i] < first || ids[i] >= V)
      throw std::out_of_range(std::string(what) + " must be in " + std::to_string(first) + ".." +
                              std::to_string(V - 1) + ", got " +
                              std::to_string(ids[i]) + " at position " + std::to_string(i));
}

void py_forward(int cell, int64_t T, int64_t B, int64_t I, int64_t H, Address ids, Address x, Address h0, Address c0,
                Address w_ih, Address w_hh, Address b_ih, Address b_hh, Address out, Address hn, Address cn, Address gates,
                Address cells) {
  if (ids) check_ids(ids_at(ids), T * B, 0, I, "token ids");
  kernels().forward({cell, T, B, I, H, ids_at(ids), floats(x), floats(h0), floats(c0), floats(w_ih), floats(w_hh),
                     floats(b_ih), floats(b_hh), floats(out), floats(hn), floats(cn), floats(gates), floats(cells)});
}

void py_backward(int cell, int64_t T, int64_t B, int64_t I, int64_t H, Address ids, Address x, Address h0, Address c0,
                 Address w_ih, Address w_hh, Address out, Address gates, Address cells, Address d_out, Address d_hn,
                 Address d_cn, Address d_x, Address d_h0, Address d_c0, Address d_w_ih, Address d_w_hh, Address d_b_ih,
                 Address d_b_hh, bool accumulate) {
  if (ids) check_ids(ids_at(ids), T * B, 0, I, "token ids");
  kernels().backward({cell, T, B, I, H, ids_at(ids), floats(x), floats(h0), floats(c0), floats(w_ih), floats(w_hh),
                      floats(out), floats(gates), floats(cells), floats(d_out), floats(d_hn), floats(d_cn), floats(d_x),
                      floats(d_h0), floats(d_c0), floats(d_w_ih), floats(d_w_hh), floats(d_b_ih), floats(d_b_hh),
                      accumulate});
}

void py_linear(int64_t rows, int64_t K, int64_t N, Address x, Address w, Address b, Address y) {
  kernels().linear({rows, K, N, floats(x), floats(w), floats(b), floats(y)});
}

void py_linear_backward(int64_t T, int64_t B, int64_t K, int64_t N, Address x, Address w, Address d_y, Address d_x,
                        Address d_w, Address d_b, bool accumulate) {
  kernels().linear_backward(
      {T, B, K, N, floats(x), floats(w), floats(d_y), floats(d_x), floats(d_w), floats(d_b), accumulate});
}

void py_loss(int64_t T, int64_t B, int64_t H, int64_t V, Address hidden, Address w, Address b, Address targets,
             Address nats, Address mean, Address saved) {
  check_ids(ids_at(targets), T * B, -1, V, "targets");
  kernels().loss({T, B, H, V, floats(hidden), floats(w), floats(b), ids_at(targets), floats(nats), floats(mean),
                  floats(saved)});
}

void py_loss_backward(int64_t T, int64_t B, int64_t H, int64_t V, Address hidden, Address w, Address b, Address targets,
                      Address saved, float d_mean, Address d_hidden, Address d_w, Address d_b, bool accumulate) {
  check_ids(ids_at(targets), T * B, -1, V, "targets");
  kernels().loss_backward({T, B, H, V, floats(hidden), floats(w), floats(b), ids_at(targets), floats(saved), d_mean,
                           floats(d_hidden), floats(d_w), floats(d_b), accumulate});
}

// Lists of tensors: addresses side by side with sizes.
struct List {
  std::vector<float*> p, g, m, v;
  const std::vector<int64_t>& sizes;
  static std::vector<float*> all(const std::vector<Address>& addresses) {
    std::vector<float*> result;
    for (Address a : addresses) result.push_back(floats(a));
    return result;
  }
  Tensors tensors() const { return {int64_t(sizes.size()), sizes.data(), p.data(), g.data(), m.data(), v.data()}; }
};

double py_norm(const std::vector<Address>& x, const std::vector<int64_t>& sizes) {
  List list{List::all(x), {}, {}, {}, sizes};
  std::vector<double> sums(size_t(chunks_of(list.tensors())));
  kernels().squares(list.tensors(), sums.data());
  return norm_of(sums.data(), int64_t(sums.size()));
}

void py_sgd(const std::vector<Address>& p, const std::vector<Address>& g, const std::vector<int64_t>& sizes, float lr,
            float scale) {
  List list{List::all(p), List::all(g), {}, {}, sizes};
  kernels().sgd(list.tensors(), lr, scale);
}

void py_adamw(const std::vector<Address>& p, const std::vector<Address>& g, const std::vector<Address>& m,
              const std::vector<Address>& v, const std::vector<int64_t>& sizes, const std::vector<float>& a) {
  List list{List::all(p), List::all(g), List::all(m), List::all(v), sizes};
  kernels().adamw(list.tensors(), {a.at(0), a.at(1), a.at(2), a.at(3), a.at(4), a.at(5), a.at(6), a.at(7), a.at(8)});
}

void py_dropout(Address x, Address y, int64_t n, uint64_t seed, uint64_t offset, uint64_t threshold, float scale) {
  kernels().dropout(floats(x), floats(y), n, seed, offset, threshold, scale);
}

void py_philox(Address words, int64_t n, uint64_t seed, uint64_t offset) {
  kernels().philox(reinterpret_cast<uint32_t*>(words), n, seed, offset);
}

void py_math(int f, Address x, Address y, int64_t n) { kernels().math(f, floats(x), floats(y), n); }

void py_log_softmax(Address x, Address y, int64_t rows, int64_t n) {
  kernels().log_softmax(floats(x), floats(y), rows, n);
}

void py_decoder_pack(int cell, int64_t I, int64_t H, bool first, Address w_ih, Address w_hh, Address b_ih, Address b_hh,
                     Address packed_hh, Address input, Address bias) {
  kernels().decoder_pack(cell, I, H, first, floats(w_ih), floats(w_hh), floats(b_ih), floats(b_hh), floats(packed_hh),
                         floats(input), floats(bias));
}

// Sizes and addresses as in Decoder: cell, L, B, H, V; four addresses for each layer; w_out, b_out, h, c, logits.
struct DecoderArguments {
  std::vector<DecoderLayer> layers;
  Decoder decoder;
  DecoderArguments(const std::vector<int64_t>& sizes, const std::vector<Address>& a) {
    size_t L = size_t(sizes.at(1));
    for (size_t l = 0; l < L; ++l)
      layers.push_back({floats(a.at(4 * l)), floats(a.at(4 * l + 1)), floats(a.at(4 * l + 2)), floats(a.at(4 * l + 3))});
    decoder = {int(sizes.at(0)), sizes.at(1), sizes.at(2), sizes.at(3), sizes.at(4), layers.data(), floats(a.at(4 * L)),
               floats(a.at(4 * L + 1)), floats(a.at(4 * L + 2)), floats(a.at(4 * L + 3)), floats(a.at(4 * L + 4))};
  }
};

void py_decoder_read(const std::vector<int64_t>& sizes, const std::vector<Address>& addresses, int64_t T, Address ids) {
  DecoderArguments d(sizes, addresses);
  check_ids(ids_at(ids), T * d.decoder.B, 0, d.decoder.V, "token ids");
  kernels().decoder_read(d.decoder, T, ids_at(ids));
}

// choice: penalty, exponent, top_k, top_p, min_p as in Choice.
bool py_decoder_generate(const std::vector<int64_t>& sizes, const std::vector<Address>& addresses, int64_t steps,
                         Address bias, const std::vector<double>& choice, Address draws, Address seen, Address ids) {
  DecoderArguments d(sizes, addresses);
  Choice c{floats(bias), float(choice.at(0)), float(choice.at(1)), int64_t(choice.at(2)), choice.at(3), choice.at(4),
           reinterpret_cast<const double*>(draws), reinterpret_cast<uint8_t*>(seen)};
  return kernels().decoder_generate(d.decoder, steps, c, reinterpret_cast<int64_t*>(ids));
}

}  // namespace

NB_MODULE(_cpu, m) {
#if defined(__GLIBC__)
  // A step of training allocates and frees the same megabytes again and again. By default glibc gives them back to the
  // system each time, whose page faults can cost more than the step; keep up to a quarter of a gigabyte instead.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
  using Free = nb::call_guard<nb::gil_scoped_release>;
  m.def("isa", [] { return std::string(kernels().isa); });
  m.def("best_isa", [] { return std::string(best_isa() ? best_isa() : ""); });
  m.def("set_isa", [](const std::string& name) { set_isa(name.c_str()); });
  m.def("threads", &get_threads);
  m.def("set_threads", [](int n) {
    if (n < 1 || n > 1024) throw std::invalid_argument("threads must be in 1..1024, got " + std::to_string(n));
    set_threads(n);
  });
  m.def("forward", &py_forward, Free());
  m.def("backward", &py_backward, Free());
  m.def("linear", &py_linear, Free());
  m.def("linear_backward", &py_linear_backward, Free());
  m.def("loss", &py_loss, Free());
  m.def("loss_backward", &py_loss_backward, Free());
  m.def("norm", &py_norm, Free());
  m.def("sgd", &py_sgd, Free());
  m.def("adamw", &py_adamw, Free());
  m.def("dropout", &py_dropout, Free());
  m.def("philox", &py_philox, Free());
  m.def("math", &py_math, Free());
  m.def("log_softmax", &py_log_softmax, Free());
  m.def("packed_hh_size", [](int cell, int64_t H) {
    return cell == GRU ? packed_size(2 * H, H) + packed_size(H, H) : packed_size(gates_of(cell) * H, H);
  });
  m.def("packed_size", &packed_size);
  m.def("decoder_pack", &py_decoder_pack, Free());
  m.def("decoder_pack_output", [](int64_t V, int64_t H, Address w, Address packed) {
    kernels().decoder_pack_output(V, H, floats(w), floats(packed));
  });
  m.def("decoder_read", &py_decoder_read, Free());
  m.def("decoder_generate", &py_decoder_generate, Free());
  m.def("fma_peak", [](int64_t rounds) { return kernels().fma_peak(rounds); }, Free());
}
