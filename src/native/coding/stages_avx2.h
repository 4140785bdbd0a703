// The stages in AVX2: eight contexts a vector, bit for bit what stages.h says.
//
// What is read as a vector is written as one, or the processor waits until the parts are in its cache. For half a byte the slots of eight buckets lie transposed, one node's side by side, and go back after it. Two contexts
// that claimed the same bucket learn one after the other, which only the plain stages do.
#pragma once
#if defined(__x86_64__) && defined(__GNUC__)
#define ELMAN_CODING_AVX2
#include <immintrin.h>

#include <cstdint>

#include "stages.h"

#define ELMAN_IN_AVX2 __attribute__((target("avx2,bmi,bmi2")))

namespace elman::coding {

// `fill_tree` of a vocabulary whose first ids are the bytes, in eights.
ELMAN_IN_AVX2 inline void fill_tree_avx2(const float* logits, int64_t ids, uint32_t* tree) {
  __m256 tops = _mm256_set1_ps(-__builtin_inff());
  for (int64_t j = 0; j < ids; j += 8) tops = _mm256_max_ps(_mm256_loadu_ps(logits + j), tops);  // a NaN never is the larger
  tops = _mm256_max_ps(tops, _mm256_permute2f128_ps(tops, tops, 1));
  tops = _mm256_max_ps(tops, _mm256_permute_ps(tops, 0x4E));
  tops = _mm256_max_ps(tops, _mm256_permute_ps(tops, 0xB1));
  for (int b = 0; b < 256; b += 8) {
    __m256 octaves = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(logits + b), tops), _mm256_set1_ps(94548.4622f));
    octaves = _mm256_min_ps(_mm256_max_ps(octaves, _mm256_set1_ps(-1507328.0f)), _mm256_setzero_ps());
    __m256i u = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_cvttps_epi32(octaves)), f = _mm256_and_si256(u, _mm256_set1_epi32(65535));
    __m256i slope = _mm256_sub_epi32(_mm256_set1_epi32(12545), _mm256_srli_epi32(_mm256_mullo_epi32(_mm256_set1_epi32(2565), f), 16));
    __m256i bend = _mm256_srli_epi32(_mm256_mullo_epi32(f, _mm256_sub_epi32(_mm256_set1_epi32(65536), f)), 16);
    __m256i m = _mm256_sub_epi32(_mm256_set1_epi32(65536), _mm256_srli_epi32(f, 1));
    m = _mm256_sub_epi32(m, _mm256_srli_epi32(_mm256_mullo_epi32(bend, slope), 16));
    m = _mm256_add_epi32(_mm256_srlv_epi32(_mm256_slli_epi32(m, 7), _mm256_srli_epi32(u, 16)), _mm256_set1_epi32(1));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(tree + 256 + b), m);
  }
  for (int node = 128; node >= 8; node /= 2)
    for (int k = 0; k < node; k += 8) {
      const __m256i* from = reinterpret_cast<const __m256i*>(tree + 2 * (node + k));
      __m256i sums = _mm256_hadd_epi32(_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tree + node + k), _mm256_permute4x64_epi64(sums, 0xD8));
    }
  for (int node = 7; node > 0; --node) tree[node] = tree[2 * node] + tree[2 * node + 1];
}

// kSlotRate in two halves, which shuffles look up.
struct SlotRateBytes {
  alignas(16) uint8_t low[16] = {}, high[16] = {};
  constexpr SlotRateBytes() {
    for (int i = 0; i < 16; ++i) low[i] = uint8_t(kSlotRate[i]), high[i] = uint8_t(kSlotRate[i] >> 8);
  }
};
inline constexpr SlotRateBytes kSlotRateBytes;

// W: lanes, 8 or 16.
template <int W>
struct Avx2 {
  static constexpr int kLanes = W, kGroups = W / 8, kVectors = (2 * W + 8) / 8;

  // (group, node % 8, node / 8, lane); where node 0 would be are the checks.
  struct Half {
    alignas(32) uint16_t slots[kGroups][8][2][8];
  };

  ELMAN_IN_AVX2 static void transpose(__m256i* r) {  // eight rows of 2 x 8
    __m256i a[8], b[8];
    for (int i = 0; i < 4; ++i) {
      a[2 * i] = _mm256_unpacklo_epi16(r[2 * i], r[2 * i + 1]);
      a[2 * i + 1] = _mm256_unpackhi_epi16(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 2; ++j) {
        b[4 * i + 2 * j] = _mm256_unpacklo_epi32(a[4 * i + j], a[4 * i + 2 + j]);
        b[4 * i + 2 * j + 1] = _mm256_unpackhi_epi32(a[4 * i + j], a[4 * i + 2 + j]);
      }
    for (int i = 0; i < 4; ++i) {
      r[2 * i] = _mm256_unpacklo_epi64(b[i], b[4 + i]);
      r[2 * i + 1] = _mm256_unpackhi_epi64(b[i], b[4 + i]);
    }
  }

  // buckets (W): those beyond the contexts hold zeros.
  ELMAN_IN_AVX2 static void take(const Bucket* const* buckets, Half& half) {
    for (int g = 0; g < kGroups; ++g) {
      __m256i r[8];
      for (int i = 0; i < 8; ++i) r[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(buckets[8 * g + i]));
      transpose(r);
      for (int i = 0; i < 8; ++i) _mm256_store_si256(reinterpret_cast<__m256i*>(half.slots[g][i]), r[i]);
    }
  }
  ELMAN_IN_AVX2 static void give(Bucket* const* buckets, int contexts, const Half& half) {
    for (int g = 0; g < kGroups; ++g) {
      __m256i r[8];
      for (int i = 0; i < 8; ++i) r[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(half.slots[g][i]));
      transpose(r);
      for (int i = 0; i < 8 && 8 * g + i < contexts; ++i)
        _mm256_store_si256(reinterpret_cast<__m256i*>(buckets[8 * g + i]), r[i]);
    }
  }

  // Of a bit's contexts: the places of their maps, and what lies there.
  struct Found {
    alignas(32) uint32_t place[W], map[W];
  };

  ELMAN_IN_AVX2 static void look(const Memory& m, const Tables& t, const Half& half, int node, Found& found, int32_t* x) {
    const __m256i first = _mm256_setr_epi32(0, 1024, 2048, 3072, 4096, 5120, 6144, 7168);
    const Adaptive* maps = m.maps.data();
    for (int g = 0; g < kGroups; ++g) {
      __m128i v = _mm_xor_si128(slots(half, g, node), _mm_set1_epi16(int16_t(kFlip)));
      __m128i count = _mm_and_si128(v, _mm_set1_epi16(15));
      __m128i state = _mm_or_si128(_mm_and_si128(_mm_srli_epi16(v, 6), _mm_set1_epi16(0x3F0)), count);
      uint32_t* at = found.place + 8 * g;
      store(at, _mm256_add_epi32(_mm256_cvtepu16_epi32(state), _mm256_add_epi32(first, _mm256_set1_epi32(8192 * g))));
      __m256i map = _mm256_setr_epi32(int(maps[at[0]].v), int(maps[at[1]].v), int(maps[at[2]].v), int(maps[at[3]].v),
                                      int(maps[at[4]].v), int(maps[at[5]].v), int(maps[at[6]].v), int(maps[at[7]].v));
      store(found.map + 8 * g, map);
      __m256i p = _mm256_srli_epi32(map, 16), known = _mm256_cvtepi16_epi32(_mm_cmpgt_epi16(count, _mm_setzero_si128()));
      alignas(32) uint32_t q[8];
      store(q, _mm256_srli_epi32(p, 4));
      __m128i st = _mm_setr_epi16(t.stretch[q[0]], t.stretch[q[1]], t.stretch[q[2]], t.stretch[q[3]], t.stretch[q[4]],
                                  t.stretch[q[5]], t.stretch[q[6]], t.stretch[q[7]]);
      __m256i linear = _mm256_sub_epi32(p, _mm256_set1_epi32(32768));
      linear = _mm256_srai_epi32(_mm256_add_epi32(linear, _mm256_srli_epi32(_mm256_srai_epi32(linear, 31), 27)), 5);
      store(x + 8 * g, _mm256_and_si256(_mm256_cvtepi16_epi32(st), known));
      store(x + W + 8 * g, _mm256_and_si256(linear, known));
    }
  }

  ELMAN_IN_AVX2 static void learn(Memory& m, Half& half, int node, const Found& found, int bit) {
    const __m128i flip = _mm_set1_epi16(int16_t(kFlip)), minus = _mm_set1_epi16(int16_t(bit - 1));  // all ones for a 0
    const __m128i low = _mm_load_si128(reinterpret_cast<const __m128i*>(kSlotRateBytes.low));
    const __m128i high = _mm_load_si128(reinterpret_cast<const __m128i*>(kSlotRateBytes.high));
    for (int g = 0; g < kGroups; ++g) {
      __m128i v = _mm_xor_si128(slots(half, g, node), flip), count = _mm_and_si128(v, _mm_set1_epi16(15));
      see(m.maps.data(), found.place + 8 * g, load(found.map + 8 * g), _mm256_cvtepi16_epi32(_mm_cmpgt_epi16(count, _mm_setzero_si128())), bit);
      __m128i rate = _mm_or_si128(_mm_shuffle_epi8(low, _mm_or_si128(count, _mm_set1_epi16(int16_t(0x8000)))),
                                  _mm_shuffle_epi8(high, _mm_or_si128(_mm_slli_epi16(count, 8), _mm_set1_epi16(0x80))));
      __m128i p = _mm_srli_epi16(v, 4);
      __m128i distance = _mm_xor_si128(p, _mm_andnot_si128(minus, _mm_set1_epi16(4095)));  // 4095 - p, or p
      __m128i step = _mm_mulhi_epu16(distance, rate);
      p = _mm_add_epi16(p, _mm_sub_epi16(_mm_xor_si128(step, minus), minus));
      count = _mm_min_epi16(_mm_add_epi16(count, _mm_set1_epi16(1)), _mm_set1_epi16(15));
      _mm_store_si128(reinterpret_cast<__m128i*>(half.slots[g][node & 7][node >> 3]),
                      _mm_xor_si128(_mm_or_si128(_mm_slli_epi16(p, 4), count), flip));
    }
  }

  ELMAN_IN_AVX2 static int32_t dot(const int32_t* w, const int32_t* x) {
    __m256i sum = products(w, x);
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    half = _mm_hadd_epi32(half, half);
    return (_mm_cvtsi128_si32(half) + _mm_extract_epi32(half, 1)) >> 8;
  }

  // All three sums at once, as their last additions are.
  ELMAN_IN_AVX2 static void dots(const int32_t* const* w, const int32_t* x, int32_t* st) {
    __m256i sum[3];
    for (int s = 0; s < 3; ++s) sum[s] = products(w[s], x);
    __m256i four = _mm256_hadd_epi32(_mm256_hadd_epi32(sum[0], sum[1]), _mm256_hadd_epi32(sum[2], _mm256_setzero_si256()));
    __m128i all = _mm_srai_epi32(_mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1)), 8);
    all = _mm_max_epi32(_mm_min_epi32(all, _mm_set1_epi32(kStretchLimit)), _mm_set1_epi32(-kStretchLimit));
    _mm_store_si128(reinterpret_cast<__m128i*>(st), all);
  }

  ELMAN_IN_AVX2 static void train(int32_t* w, const int32_t* x, int32_t error) {
    const __m256i limit = _mm256_set1_epi32(kWeightLimit), half = _mm256_set1_epi32(1 << 17);
    for (int v = 0; v < kVectors; ++v) {
      __m256i step = _mm256_srai_epi32(_mm256_add_epi32(_mm256_mullo_epi32(load(x + 8 * v), _mm256_set1_epi32(error)), half), 18);
      __m256i next = _mm256_min_epi32(_mm256_add_epi32(load(w + 8 * v), step), limit);
      store(w + 8 * v, _mm256_max_epi32(next, _mm256_sub_epi32(_mm256_setzero_si256(), limit)));
    }
  }

  // The mixers' last set, of which three weights count: st (4), whose last is 0.
  ELMAN_IN_AVX2 static void train_last(int32_t* w, const int32_t* st, int32_t error) {
    const __m128i limit = _mm_set1_epi32(kWeightLimit);
    __m128i x = _mm_load_si128(reinterpret_cast<const __m128i*>(st)), before = _mm_load_si128(reinterpret_cast<const __m128i*>(w));
    __m128i step = _mm_srai_epi32(_mm_add_epi32(_mm_mullo_epi32(x, _mm_set1_epi32(error)), _mm_set1_epi32(1 << 17)), 18);
    __m128i next = _mm_min_epi32(_mm_add_epi32(before, step), limit);
    _mm_store_si128(reinterpret_cast<__m128i*>(w), _mm_max_epi32(next, _mm_sub_epi32(_mm_setzero_si128(), limit)));
  }

  // The inputs that are of no context: written as one vector, which a load of it would otherwise wait for.
  ELMAN_IN_AVX2 static void others(int32_t* x, int32_t network, int32_t network_linear, int32_t match, int32_t match_linear,
                                   int32_t refined) {
    store(x + 2 * W, _mm256_setr_epi32(network, network_linear, match, match_linear, 256, refined, 0, 0));
  }

  // Whether the buckets (W) are as many.
  ELMAN_IN_AVX2 static bool distinct(const Bucket* const* buckets) {
    auto name = [&](int i) { return int(reinterpret_cast<uintptr_t>(buckets[i]) / sizeof(Bucket)); };
    __m256i names[kGroups];                // two that differ may share one; then the plain stages serve, as for one
    for (int g = 0; g < kGroups; ++g)
      names[g] = _mm256_setr_epi32(name(8 * g), name(8 * g + 1), name(8 * g + 2), name(8 * g + 3), name(8 * g + 4),
                                   name(8 * g + 5), name(8 * g + 6), name(8 * g + 7));
    const __m256i next = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0);
    __m256i same = _mm256_setzero_si256();
    for (int g = 0; g < kGroups; ++g) {
      __m256i here = names[g], other = here;
      for (int i = 0; i < 4; ++i) {
        other = _mm256_permutevar8x32_epi32(other, next);
        same = _mm256_or_si256(same, _mm256_cmpeq_epi32(here, other));
      }
      for (int h = g + 1; h < kGroups; ++h) {
        other = names[h];
        for (int i = 0; i < 8; ++i) {
          same = _mm256_or_si256(same, _mm256_cmpeq_epi32(here, other));
          other = _mm256_permutevar8x32_epi32(other, next);
        }
      }
    }
    return _mm256_testz_si256(same, same);
  }

 private:
  // In eight sums.
  ELMAN_IN_AVX2 static __m256i products(const int32_t* w, const int32_t* x) {
    __m256i sum = _mm256_setzero_si256();
    for (int v = 0; v < kVectors; ++v)
      sum = _mm256_add_epi32(sum, _mm256_srai_epi32(_mm256_mullo_epi32(load(w + 8 * v), load(x + 8 * v)), 8));
    return sum;
  }
  template <class T>
  ELMAN_IN_AVX2 static __m256i load(const T* p) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(p)); }
  template <class T>
  ELMAN_IN_AVX2 static void store(T* p, __m256i a) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), a); }
  ELMAN_IN_AVX2 static __m128i slots(const Half& half, int g, int node) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(half.slots[g][node & 7][node >> 3]));
  }

  // `Adaptive::see` of eight maps v, where known. A share is 65536 / (n + 2), exact: no quotient lies so near below an
  // integer that a float would round it up.
  ELMAN_IN_AVX2 static void see(Adaptive* maps, const uint32_t* place, __m256i v, __m256i known, int bit) {
    __m256i n = _mm256_and_si256(v, _mm256_set1_epi32(1023)), p = _mm256_srli_epi32(v, 10);
    __m256 parts = _mm256_cvtepi32_ps(_mm256_add_epi32(n, _mm256_set1_epi32(2)));
    __m256i share = _mm256_cvttps_epi32(_mm256_div_ps(_mm256_set1_ps(65536.0f), parts));
    __m256i distance = _mm256_sub_epi32(_mm256_set1_epi32(bit ? (1 << 22) - 1 : 0), p);
    __m256i even = _mm256_srli_epi64(_mm256_mul_epi32(distance, share), 16);
    __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(distance, 32), _mm256_srli_epi64(share, 32));
    p = _mm256_add_epi32(p, _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 16), 0xAA));
    n = _mm256_min_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(1)), _mm256_set1_epi32(1023));
    __m256i next = _mm256_or_si256(_mm256_slli_epi32(p, 10), n);
    alignas(32) uint32_t after[8];
    store(after, _mm256_blendv_epi8(v, next, known));
    for (int i = 0; i < 8; ++i) maps[place[i]].v = after[i];
  }
};

}  // namespace elman::coding
#endif
