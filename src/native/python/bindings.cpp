// The Python module elman.kernels._cpu. Every size is computed from T, B, I, H, V and compared with the arrays (buffers.h),
// and token ids and targets with their range; nothing behind the files of this folder checks again.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "buffers.h"
#include "../float/kernels.h"
#include "../team/pool.h"

using namespace elman;
using namespace nb::literals;

// Each in the file of its name: bindings_layers.cpp and so on.
void bind_layers(nb::module_& m);
void bind_updates(nb::module_& m);
void bind_network(nb::module_& m);
void bind_integer(nb::module_& m);
void bind_coding(nb::module_& m);
void bind_predictor(nb::module_& m);

NB_MODULE(_cpu, m) {
  m.doc() = "The native kernel. Arrays are C-contiguous; shapes and contracts are in src/native/float/kernels.h.";
  m.def("isa", [] { return expect_nothing(refused_isa()), std::string(kernels().isa); }, "The instruction set that serves.");
  m.def("best_isa", [] { return std::string(best_isa()); }, "The one chosen without ELMAN_ISA.");
  m.def("set_isa", [](const std::string& name) { expect_nothing(set_isa(name.c_str())); }, "name"_a);
  m.def("threads", &get_threads);
  m.def("set_threads", [](int n) {
    expect(1 <= n && n <= 1024, "threads must be in 1..1024");
    set_threads(n);
  }, "n"_a);
  m.def("compute_alone", &compute_alone, "From now on this thread shares what it computes with no other.");
  m.def("fma_peak", [](int64_t rounds) {
    Native native;
    return kernels().fma_peak(rounds);
  }, "rounds"_a, "Independent fused multiply-adds on all threads; returns how many operations that was.");
  bind_layers(m);
  bind_updates(m);
  bind_network(m);
  bind_integer(m);
  bind_predictor(m);
  bind_coding(m);
}
