// Initial weights as a function of a seed, with the bits of src/elman/model/initial.py, which says why there is no libm here:
// additions, multiplications, divisions and square roots of doubles alone, in its order.
#include <cmath>

#include "philox.h"
#include "train.h"

namespace elman::c {
namespace {

// Wichura's AS 241 (PPND16), the inverse of the normal distribution: numerator and denominator, lowest power first.
using Ratio = double[2][8];
constexpr Ratio kCentre = {
    {3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125, 45921.953931549871457,
     67265.770927008700853, 33430.575583588128105, 2509.0809287301226727},
    {1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077, 21213.794301586595867, 39307.895800092710610,
     28729.085735721942674, 5226.4952788528545610},
};
constexpr Ratio kShoulder = {
    {1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504, 1.27045825245236838258,
     0.24178072517745061177, 0.0227238449892691845833, 7.7454501427834140764e-4},
    {1.0, 2.05319162663775882187, 1.67638483018380384940, 0.68976733498510000455, 0.14810397642748007459,
     0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9},
};
constexpr Ratio kTail = {
    {6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 0.29656057182850489123, 0.026532189526576123093,
     0.0012426609473880784386, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525, 7.868691311456132591e-4,
     1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15},
};

double ratio(const Ratio& of, double x) {
  double above = 0.0, below = 0.0;
  for (int i = 7; i >= 0; --i) above = above * x + of[0][i], below = below * x + of[1][i];
  return above / below;
}

// Natural logarithm: x = m 2^e, m in [1/sqrt 2, sqrt 2), log m = 2 artanh((m - 1) / (m + 1)).
double logarithm(double x) {
  int e;
  double m = std::frexp(x, &e);
  if (m < 0.70710678118654752) m *= 2.0, --e;
  double s = (m - 1.0) / (m + 1.0), square = s * s, series = 0.0;
  for (int k = 23; k > 0; k -= 2) series = series * square + 1.0 / k;
  return e * 0.69314718055994530942 + 2.0 * s * series;
}

// Strictly inside (0, 1).
double uniform(uint64_t seed, uint64_t stream, int64_t index) {
  return random_unit(random_word(seed, stream, uint64_t(index))) + 0x1p-54;
}

// From N(0, 1), by inversion.
double normal(double p) {
  double q = p - 0.5;
  if (!(std::fabs(q) > 0.425)) return q * ratio(kCentre, 0.180625 - q * q);
  double r = std::sqrt(-logarithm(q < 0.0 ? p : 1.0 - p));
  double tail = r <= 5.0 ? ratio(kShoulder, r - 1.6) : ratio(kTail, r - 5.0);
  return q < 0.0 ? -tail : tail;
}

}  // namespace

void initialise(const Model& model, uint64_t seed, double std) {
  std::vector<float*> weights = model.weights();
  std::vector<int64_t> sizes = model.sizes();
  double limit = 1.0 / std::sqrt(double(model.H));
  for (size_t i = 0; i < weights.size(); ++i) {
    bool bias = is_bias(model, int64_t(i));
    for (int64_t j = 0; j < sizes[i]; ++j) {
      if (std > 0.0 && bias) weights[i][j] = 0.0f;
      else if (double p = uniform(seed, i, j); std > 0.0) weights[i][j] = float(normal(p) * std);
      else weights[i][j] = float((p * 2.0 - 1.0) * limit);
    }
  }
}

}  // namespace elman::c
