#include "counts.h"

#include <algorithm>

namespace elman::c {

// Initial weights: of so many symbols, the share owed to the other model.
constexpr double kKept = 15.8, kAll = 16.0;
constexpr double kMost = 63.0;         // symbols that a weight remembers; then it forgets half

Contexts Counts::begin(uint32_t symbol) const {
  Contexts made;
  made.of[1] = symbol, made.size = 2;
  return made;
}

Contexts Counts::followed(const Contexts& contexts, uint32_t symbol) const {
  Contexts made;
  made.size = std::min(contexts.size, kOrder) + 1;
  for (int k = 1; k < made.size; ++k) made.of[size_t(k)] = contexts.of[size_t(k) - 1] * base_ + symbol;
  return made;
}

uint32_t Counts::kind(int order, const Seen& seen) {
  uint32_t bits = 0;
  for (int64_t all = seen.all; all; all >>= 1) ++bits;
  auto total = seen.all < 4 ? uint32_t(seen.all) : 2 + bits;
  return (uint32_t(order) << 16) + (total << 4) + uint32_t(std::min<size_t>(seen.of.size() + 1, 5));
}

void Counts::mixed(const Contexts& contexts, double* p) const {
  for (int order = 0; order < contexts.size; ++order) {
    auto found = seen_[size_t(order)].find(contexts.of[size_t(order)]);
    if (found == seen_[size_t(order)].end()) continue;
    const Seen& seen = found->second;
    auto known = weights_.find(kind(order, seen));
    Weight weight = known == weights_.end() ? Weight{kKept, kAll} : known->second;
    double share = weight.kept / weight.all, each = (1 - share) / double(seen.all);
    for (uint32_t symbol = 0; symbol < base_; ++symbol) p[symbol] *= share;
    for (const auto& [symbol, count] : seen.of) p[symbol] += each * double(count);
  }
}

void Counts::learn(const Contexts& contexts, uint32_t symbol, double p) {
  ++learned_;
  for (int order = 0; order < contexts.size; ++order) {
    Seen& seen = seen_[size_t(order)][contexts.of[size_t(order)]];
    auto at = std::find_if(seen.of.begin(), seen.of.end(), [&](const auto& each) { return each.first == symbol; });
    if (seen.all) {
      Weight& weight = weights_.emplace(kind(order, seen), Weight{kKept, kAll}).first->second;
      double count = at == seen.of.end() ? 0.0 : double(at->second), share = weight.kept / weight.all;
      double lower = share * p;
      p = lower + (1 - share) * (count / double(seen.all));
      weight.kept += lower / p, weight.all += 1;
      if (weight.all > kMost) weight.kept /= 2, weight.all /= 2;
    }
    ++seen.all;
    if (at == seen.of.end()) seen.of.emplace_back(symbol, 1);
    else ++at->second;
  }
}

}  // namespace elman::c
