// The whole kernel, for one instruction set. CMake compiles this file once for each, with ELMAN_ISA_NAME and one of
// ELMAN_AVX512, ELMAN_AVX2, ELMAN_NEON or ELMAN_PORTABLE defined, always with -ffp-contract=off: every fused
// multiply-add is written out. It instantiates nothing of the standard library, whose copies the linker could then share
// with code for older processors.
#include "kernels.h"
#include "../team/pool.h"
#include "../team/share.h"

#include <cstring>

#if defined(ELMAN_AVX512) || defined(ELMAN_AVX2)
#include <immintrin.h>
#elif defined(ELMAN_NEON)
#include <arm_neon.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace elman {
namespace ELMAN_ISA_NAME {
namespace {
#include "simd.h"
#include "functions.h"
#if defined(ELMAN_INTEGERS_ONLY)  // a small module for quantised models, which take from floats only the choice
#include "choose.h"
#else
#include "pack.h"
#include "gemm.h"
#include "outer.h"
#include "cells.h"
#include "recurrent.h"
#include "embedding.h"
#include "output.h"
#include "loss.h"
#include "update.h"
#include "muon.h"
#include "random.h"
#include "choose.h"
#include "decoder.h"
#endif
}  // namespace

#define ELMAN_STRING_(x) #x
#define ELMAN_STRING(x) ELMAN_STRING_(x)
extern const Table table;
#if defined(ELMAN_INTEGERS_ONLY)
const Table table = [] {
  Table choice{};
  choice.isa = ELMAN_STRING(ELMAN_ISA_NAME), choice.choose = choose;
  return choice;
}();
#else
const Table table = {
    ELMAN_STRING(ELMAN_ISA_NAME), forward, backward, embed, embed_backward, linear, linear_backward, loss,        loss_backward, squares,
    sgd,                          adamw,   muon,     average, dropout,  philox, math,            log_softmax, decoder_pack,
    decoder_pack_output, decoder_read, decoder_generate, choose, fma_peak,
};
#endif

}  // namespace ELMAN_ISA_NAME
}  // namespace elman
