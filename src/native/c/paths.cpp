#include "paths.h"

#include <algorithm>

#include "../team/environment.h"

namespace elman::c {

constexpr double kSplit = 0.1;         // of `least`, below which no token is looked for that ends within a symbol

bool Paths::open(const elman_model* model, const std::vector<std::string>& symbols, int32_t most, double least) {
  if (!tokens_.read(model, symbols)) return false;
  model_ = model, count_ = symbols.size(), most_ = size_t(most), least_ = most ? least : 0.0;
  if (!tokens_.whole())
    for (size_t place = 0; place < count_; ++place)
      if (symbols[place].size() > 1) long_.push_back({int32_t(place), symbols[place]});
  side_.open(model);
  Place begin = side_.begin();
  first_ = read({&begin}, {model->from.header.start})[0];
  return true;
}

std::vector<SharedSaid> Paths::read(const std::vector<const Place*>& before, const std::vector<int64_t>& ids) {
  std::vector<Place> places;
  side_.read(before, ids, places);
  std::vector<SharedSaid> made;
  auto V = size_t(model_->V());
  const auto& order = tokens_.order();
  weights_.resize(V);
  FloatEnvironment environment;
  for (size_t row = 0; row < places.size(); ++row) {
    auto said = std::make_shared<Said>();
    said->place = std::move(places[row]);
    integer::integer_kernels().weights(side_.logits(row), weights_.data(), int64_t(V));
    int64_t total = 0, sum = 0;
    for (int32_t weight : weights_) total += weight;
    said->each = 1.0 / double(total);
    said->below.resize(order.size() + 1);
    for (size_t i = 0; i < order.size(); ++i) said->below[i + 1] = sum += weights_[size_t(order[i])];
    made.push_back(std::move(said));
  }
  return made;
}

std::vector<SharedSaid> Paths::extended(const std::vector<Wanted>& wanted) {
  std::vector<SharedSaid> found(wanted.size());
  std::vector<const Place*> before;
  std::vector<int64_t> ids;
  std::vector<size_t> of;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto& [said, token] = wanted[i];
    auto known = said->after.find(token);
    if (known != said->after.end()) found[i] = known->second;
    else before.push_back(&said->place), ids.push_back(token), of.push_back(i);
  }
  if (of.empty()) return found;
  auto made = read(before, ids);
  for (size_t k = 0; k < of.size(); ++k) {
    const auto& [said, token] = wanted[of[k]];
    if (said != first_.get()) said->after.emplace(token, made[k]);
    found[of[k]] = std::move(made[k]);
  }
  return found;
}

void Paths::masses(const std::vector<Path>& paths, double* masses) {
  std::fill(masses, masses + count_, 0.0);
  for (const Path& path : paths) {
    const Said& said = *path.said;
    double each = path.weight * said.each;
    for (const auto& symbol : tokens_.at(path.pending).symbols)
      masses[symbol.place] += each * double(said.below[size_t(symbol.high)] - said.below[size_t(symbol.low)]);
    for (const Long& symbol : long_) {
      int32_t first = tokens_.next(path.pending, uint8_t(symbol.bytes[0]));
      if (first < 0) continue;
      const Begun& begun = tokens_.at(first);
      if (path.weight * said.mass(begun.low, begun.high) > least_ * kSplit)
        masses[symbol.place] += path.weight * split(path.said, path.pending, symbol.bytes.c_str(), path.weight);
    }
  }
}

// The probability that a token ends within the symbol `rest`, and that others spell what is left of it.
double Paths::split(const SharedSaid& said, int32_t pending, const char* rest, double share) {
  double total = 0.0;
  for (int32_t node = pending; *rest && rest[1]; ++rest) {
    if ((node = tokens_.next(node, uint8_t(*rest))) < 0) break;
    const Begun& begun = tokens_.at(node);
    if (begun.token < 0) continue;
    double p = said->mass(begun.low, begun.low + 1);
    if (p * share <= least_ * kSplit) continue;
    SharedSaid longer = extended({{said.get(), begun.token}})[0];
    int32_t left = Tokens::kRoot;
    for (const char* byte = rest + 1; *byte && left >= 0; ++byte) left = tokens_.next(left, uint8_t(*byte));
    double whole = left < 0 ? 0.0 : longer->mass(tokens_.at(left).low, tokens_.at(left).high);
    total += p * (whole + split(longer, Tokens::kRoot, rest + 1, share * p));
  }
  return total;
}

bool Paths::step(std::vector<Path>& paths, uint8_t byte) {
  struct Found {
    double mass;
    const Path* path;
    int32_t token, pending;            // token -1: none is whole
  };
  std::vector<Found> found;
  double total = 0.0;
  for (const Path& path : paths) {
    int32_t node = tokens_.next(path.pending, byte);
    if (node < 0) continue;
    const Begun& begun = tokens_.at(node);
    int32_t longer_low = begun.low + (begun.token >= 0);  // the token itself is the first of them
    double longer = path.said->mass(longer_low, begun.high);
    if (longer > 0.0) found.push_back({path.weight * longer, &path, -1, node});
    if (begun.token >= 0)
      found.push_back({path.weight * path.said->mass(begun.low, longer_low), &path, begun.token, Tokens::kRoot});
  }
  for (const Found& each : found) total += each.mass;
  if (!(total > 0.0)) return false;
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.mass > b.mass; });
  if (most_ && found.size() > most_) found.resize(most_);
  auto light = std::find_if(found.begin(), found.end(), [&](const Found& each) { return each.mass < least_ * total; });
  found.erase(light, found.end());
  std::vector<Wanted> wanted;
  for (const Found& each : found)
    if (each.token >= 0) wanted.push_back({each.path->said.get(), each.token});
  auto grown = extended(wanted);
  std::vector<Path> made;
  for (size_t i = 0, next = 0; i < found.size(); ++i) {
    const Found& each = found[i];
    if (each.token < 0) made.push_back({each.path->weight / total, each.path->said, each.pending});
    else made.push_back({each.mass / total, std::move(grown[next++]), Tokens::kRoot});
  }
  paths = std::move(made);
  return true;
}

void Paths::enter(std::vector<Path>& paths, const std::string& symbol) {
  const Path* heaviest = &*std::max_element(paths.begin(), paths.end(), [](const Path& a, const Path& b) { return a.weight < b.weight; });
  auto unknown = heaviest->said;
  bool spelt = true;
  for (size_t i = 0; i < symbol.size() && spelt; ++i) spelt = step(paths, uint8_t(symbol[i]));
  if (!spelt) paths = {{1.0, read({&unknown->place}, {0})[0], Tokens::kRoot}};
}

}  // namespace elman::c
