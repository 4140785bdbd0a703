#include "primed.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "utf8.h"

namespace elman::c {

namespace {

constexpr int32_t kVersion = 2;
constexpr double kSureFrom[] = {0.2, 0.35, 0.5, 0.7, 0.9, 0.97}, kGivenFrom[] = {0.26, 0.51, 0.76};
constexpr double kRoots[] = {1.0, 0.917004043204671, 0.840896415253715, 0.771105412703970,
                             0.707106781186547, 0.648419777325505, 0.594603557501360, 0.545253866332629};
constexpr double kMemory = 4000.0, kPrior = 400.0;

uint32_t crc32(const uint8_t* bytes, int64_t size) {
  uint32_t table[256], crc = ~0u;
  for (uint32_t i = 0; i < 256; ++i) {
    table[i] = i;
    for (int bit = 0; bit < 8; ++bit) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
  }
  for (int64_t i = 0; i < size; ++i) crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
  return ~crc;
}

struct Reader {
  const uint8_t* at;
  int64_t left;
  bool short_ = false;
  const uint8_t* take(int64_t size) {
    if (size < 0 || size > left) return short_ = true, nullptr;
    const uint8_t* taken = at;
    return at += size, left -= size, taken;
  }
  int32_t number() {
    const uint8_t* b = take(4);
    return b ? int32_t(uint32_t(b[0]) | uint32_t(b[1]) << 8 | uint32_t(b[2]) << 16 | uint32_t(b[3]) << 24) : 0;
  }
};

template <size_t N>
size_t class_of(double x, const double (&from)[N]) {
  return size_t(std::upper_bound(from, from + N, x) - from);
}

}  // namespace

Primed::Nodes Primed::root() {
  Nodes nodes;
  nodes.fill(-1);
  nodes[0] = 0;
  return nodes;
}

std::string Primed::read(const uint8_t* bytes, int64_t size, const std::vector<std::string>& alphabet) {
  const std::string damaged = "the n-grams are truncated or damaged";
  if (!bytes || size < 32 || std::memcmp(bytes, "ELMANNGR", 8)) return "these bytes are no n-grams of a typist";
  Reader from{bytes + 8, size - 12};
  if (from.number() != kVersion) return "the n-grams are of another version";
  Reader end{bytes + size - 4, 4};
  if (uint32_t(end.number()) != crc32(bytes, size - 4)) return damaged;
  int32_t count = from.number(), symbols = from.number(), text = from.number();
  const uint8_t* spelt = from.take(text);
  int32_t start = from.number();
  if (from.short_ || count < 1 || count > kLevels || symbols < 2 || symbols > 255 || start < 0 || start >= symbols) return damaged;
  std::unordered_map<std::string, int32_t> places;
  for (int32_t i = 0, number = 0; i < text; ++number) {
    const char* symbol = reinterpret_cast<const char*>(spelt) + i;
    auto width = int32_t(character(symbol, text - i));
    if (!width) return damaged;
    places.emplace(std::string(symbol, size_t(width)), number);
    i += width;
  }
  if (int32_t(places.size()) != symbols) return damaged;
  auto classes = size_t(count) * kGiven * kSure;
  const uint8_t* weights = from.take(2 * int64_t(classes));
  std::vector<int32_t> sizes;
  for (int32_t i = 0; i < count; ++i) sizes.push_back(from.number());
  if (from.short_) return damaged;
  for (int x = 0; x < 256; ++x) shares_[size_t(x)] = std::ldexp(kRoots[x % 8], -(x / 8));
  std::vector<Level> levels;
  std::vector<int32_t> first = {0, sizes[0]};
  for (int32_t order = 0; order < count; ++order) {
    int32_t nodes = sizes[size_t(order)];
    const uint8_t *symbol = from.take(nodes), *share = from.take(nodes);
    if (from.short_ || first.back() != nodes) return damaged;
    for (int32_t i = 0; i < nodes; ++i)
      if (symbol[i] >= symbols) return damaged;
    for (size_t i = 0; i + 1 < first.size(); ++i) {
      double sum = 0.0;
      for (int32_t n = first[i]; n < first[i + 1]; ++n) sum += shares_[share[n]];
      if (sum > 1.0 + 1e-9) return damaged;
    }
    levels.push_back({{symbol, symbol + nodes}, {share, share + nodes}, std::move(first)});
    first.assign(1, 0);
    if (order + 1 == count) break;
    const uint8_t* children = from.take(nodes);
    if (from.short_) return damaged;
    int64_t sum = 0;
    for (int32_t i = 0; i < nodes; ++i) first.push_back(int32_t(sum += children[i]));
    if (sum > size) return damaged;
  }
  if (from.left) return damaged;
  levels_ = std::move(levels), count_ = symbols, start_ = start;
  trained_.resize(classes);
  for (size_t i = 0; i < classes; ++i) trained_[i] = (weights[2 * i] + 256 * weights[2 * i + 1]) / 65536.0;
  numbers_.clear();
  for (const auto& each : alphabet) {
    auto found = places.find(each);
    numbers_.push_back(found == places.end() ? -1 : found->second);
  }
  forget();
  return "";
}

void Primed::forget() {
  all_.assign(trained_.size(), kPrior);
  kept_ = trained_;
  for (double& each : kept_) each *= kPrior;
}

int32_t Primed::child(size_t order, int32_t node, int32_t number) const {
  const Level& level = levels_[order];
  auto begin = level.symbol.begin() + level.first[size_t(node)], end = level.symbol.begin() + level.first[size_t(node) + 1];
  auto found = std::lower_bound(begin, end, number);
  return found != end && *found == number ? int32_t(found - level.symbol.begin()) : -1;
}

Primed::Nodes Primed::followed(Nodes nodes, int32_t number) const {
  Nodes made = root();
  if (number < 0) return made;
  if (number == start_) nodes = root();
  for (size_t order = 0; order + 1 < levels_.size(); ++order)
    if (nodes[order] >= 0) made[order + 1] = child(order, nodes[order], number);
  return made;
}

size_t Primed::own(const Nodes& nodes, const double* p, std::vector<double>& to) const {
  std::vector<double> all(size_t(count_) + 1, 1.0 / double(count_ + 1));
  size_t longest = 0, much = 0;
  for (size_t order = 0; order < levels_.size(); ++order) {
    if (nodes[order] < 0) continue;
    const Level& level = levels_[order];
    int32_t low = level.first[size_t(nodes[order])], high = level.first[size_t(nodes[order]) + 1];
    if (low == high) continue;
    double given = 0.0;
    for (int32_t n = low; n < high; ++n) given += shares_[level.share[size_t(n)]];
    longest = order, much = class_of(given, kGivenFrom);
    double rest = std::max(1.0 - given, 0.0);
    for (double& each : all) each *= rest;
    for (int32_t n = low; n < high; ++n) all[level.symbol[size_t(n)]] += shares_[level.share[size_t(n)]];
  }
  double total = 0.0;
  for (size_t i = 0; i < numbers_.size(); ++i) total += to[i] = all[numbers_[i] < 0 ? size_t(count_) : size_t(numbers_[i])];
  for (size_t i = 0; i < numbers_.size(); ++i) to[i] /= total;
  return (longest * kGiven + much) * kSure + class_of(*std::max_element(p, p + numbers_.size()), kSureFrom);
}

void Primed::mix(const Nodes& nodes, double* p) const {
  std::vector<double> ngrams(numbers_.size());
  size_t kind = own(nodes, p, ngrams);
  double w = kept_[kind] / all_[kind];
  for (size_t i = 0; i < ngrams.size(); ++i) p[i] = w * p[i] + (1 - w) * ngrams[i];
}

void Primed::learn(const Nodes& nodes, const double* p, int32_t place) {
  std::vector<double> ngrams(numbers_.size());
  size_t kind = own(nodes, p, ngrams);
  double w = kept_[kind] / all_[kind], mine = w * p[place];
  if (mine > 0.0) kept_[kind] += mine / (mine + (1 - w) * ngrams[size_t(place)]);
  all_[kind] += 1;
  if (all_[kind] > kMemory) kept_[kind] /= 2, all_[kind] /= 2;
}

}  // namespace elman::c
