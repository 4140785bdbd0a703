// How rows choose, from the arguments of a decoder's `generate`.
#pragma once
#include "../float/kernels.h"
#include "buffers.h"

namespace elman {

struct Choices {
  Choice all;
  std::vector<Choice> rows;        // (B), where each row has settings of its own

  // each: (B, 7), or None where `all` is for every row; exponent, penalty, top_k, top_p, min_p, presence, frequency. With
  // it, bias is (B, V).
  Choices(Arrays& a, int64_t steps, int64_t B, int64_t V, Choice given, MaybeFloats bias, MaybeDoubles draws,
          MaybeBytes seen, MaybeDoubles each, MaybeIds counts, MaybeFloats trace)
      : all(given) {
    const double* settings = a.in(each, "each", {B, 7});
    all.bias = settings ? a.in(bias, "bias", {B, V}) : a.in(bias, "bias", {V});
    all.draws = a.in(draws, "draws", {steps, B});
    all.seen = a.out(seen, "seen", {B, V});
    all.counts = a.out(counts, "counts", {B, V});
    all.trace = a.out(trace, "trace", {steps, B, V});
    expect(settings || !all.counts, "counts go with settings of each row");
    if (!settings) {
      check(all, all.draws, V);
      return;
    }
    for (int64_t b = 0; b < B; ++b, settings += 7) {
      auto row = [&](auto* array) { return array ? array + b * V : nullptr; };
      expect(settings[2] >= 0.0 && settings[2] < 9e18, "top_k must be at least 0");
      rows.push_back({row(all.bias), float(settings[1]), float(settings[0]), int64_t(settings[2]), settings[3], settings[4],
                      nullptr, settings[1] == 1.0 ? nullptr : row(all.seen), float(settings[5]), float(settings[6]),
                      row(all.counts)});
      check(rows.back(), all.draws, V);
    }
    all.each = rows.data();
  }

 private:
  static void check(Choice& c, const double* draws, int64_t V) {
    expect(c.exponent < 0 || draws, "draws are missing");
    expect(c.top_k >= 0, "top_k must be at least 0");
    if (c.top_k > V) c.top_k = V;
  }
};

}  // namespace elman
