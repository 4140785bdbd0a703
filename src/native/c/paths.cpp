#include "paths.h"

#include <algorithm>

namespace elman::c {

constexpr double kSplit = 0.1;         // of `least`, below which no token is looked for that ends within a symbol

bool Paths::open(const elman_model* model, const std::vector<std::string>& symbols, int32_t most, double least) {
  if (!tokens_.read(model, symbols)) return false;
  model_ = model, count_ = symbols.size(), most_ = size_t(most), least_ = most ? least : 0.0;
  if (!tokens_.whole())
    for (size_t place = 0; place < count_; ++place)
      if (symbols[place].size() > 1) long_.push_back({int32_t(place), symbols[place]});
  first_ = read(nullptr, 0);
  return first_ != nullptr;
}

// After `token`, which follows the text of `state`; null: the begin of a text, and no token.
std::shared_ptr<Said> Paths::read(const elman_state* state, int32_t token) const {
  auto said = std::make_shared<Said>();
  said->state.reset(state ? elman_state_copy(state) : elman_state_new(model_));
  elman_facts facts;
  if (!said->state || elman_facts_of(model_, &facts) || (state && elman_step(said->state.get(), token))) return nullptr;
  std::vector<double> p(size_t(facts.vocab));
  if (elman_distribution(said->state.get(), p.data())) return nullptr;
  const auto& order = tokens_.order();
  said->below.resize(order.size() + 1);
  double sum = 0.0;
  for (size_t i = 0; i < order.size(); ++i) said->below[i + 1] = sum += p[size_t(order[i])];
  return said;
}

std::shared_ptr<Said> Paths::extended(const std::shared_ptr<Said>& said, int32_t token) {
  auto found = said->after.find(token);
  if (found != said->after.end()) return found->second;
  auto made = read(said->state.get(), token);
  if (!made) failed_ = true;
  else if (said != first_) said->after.emplace(token, made);
  return made;
}

bool Paths::masses(const std::vector<Path>& paths, double* masses) {
  std::fill(masses, masses + count_, 0.0);
  failed_ = false;
  for (const Path& path : paths) {
    const auto& below = path.said->below;
    for (const auto& symbol : tokens_.at(path.pending).symbols)
      masses[symbol.place] += path.weight * (below[size_t(symbol.high)] - below[size_t(symbol.low)]);
    for (const Long& symbol : long_) {
      int32_t first = tokens_.next(path.pending, uint8_t(symbol.bytes[0]));
      if (first < 0) continue;
      const Begun& begun = tokens_.at(first);
      if (path.weight * (below[size_t(begun.high)] - below[size_t(begun.low)]) > least_ * kSplit)
        masses[symbol.place] += path.weight * split(path.said, path.pending, symbol.bytes.c_str(), path.weight);
    }
  }
  return !failed_;
}

// The probability that a token ends within the symbol `rest`, and that others spell what is left of it.
double Paths::split(const std::shared_ptr<Said>& said, int32_t pending, const char* rest, double share) {
  double total = 0.0;
  for (int32_t node = pending; *rest && rest[1] && !failed_; ++rest) {
    if ((node = tokens_.next(node, uint8_t(*rest))) < 0) break;
    const Begun& begun = tokens_.at(node);
    if (begun.token < 0) continue;
    double p = said->below[size_t(begun.low) + 1] - said->below[size_t(begun.low)];
    if (p * share <= least_ * kSplit) continue;
    auto longer = extended(said, begun.token);
    if (!longer) break;
    int32_t left = Tokens::kRoot;
    for (const char* byte = rest + 1; *byte && left >= 0; ++byte) left = tokens_.next(left, uint8_t(*byte));
    double whole = left < 0 ? 0.0 : longer->below[size_t(tokens_.at(left).high)] - longer->below[size_t(tokens_.at(left).low)];
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
    const auto& below = path.said->below;
    int32_t longer_low = begun.low + (begun.token >= 0);  // the token itself is the first of them
    double longer = below[size_t(begun.high)] - below[size_t(longer_low)];
    if (longer > 0.0) found.push_back({path.weight * longer, &path, -1, node});
    if (begun.token >= 0)
      found.push_back({path.weight * (below[size_t(longer_low)] - below[size_t(begun.low)]), &path, begun.token, Tokens::kRoot});
  }
  for (const Found& each : found) total += each.mass;
  if (!(total > 0.0)) return false;
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.mass > b.mass; });
  if (most_ && found.size() > most_) found.resize(most_);
  std::vector<Path> made;
  for (const Found& each : found) {
    if (each.mass < least_ * total) continue;
    if (each.token < 0) {
      made.push_back({each.path->weight / total, each.path->said, each.pending});
    } else if (auto longer = extended(each.path->said, each.token)) {
      made.push_back({each.mass / total, longer, Tokens::kRoot});
    }
  }
  paths = std::move(made);
  return !paths.empty() && !failed_;
}

bool Paths::enter(std::vector<Path>& paths, const std::string& symbol) {
  failed_ = false;
  const Path* heaviest = &*std::max_element(paths.begin(), paths.end(), [](const Path& a, const Path& b) { return a.weight < b.weight; });
  auto unknown = heaviest->said;
  bool spelt = true;
  for (size_t i = 0; i < symbol.size() && spelt; ++i) spelt = step(paths, uint8_t(symbol[i]));
  if (spelt) return true;
  if (failed_) return false;
  auto said = read(unknown->state.get(), 0);
  if (said) paths = {{1.0, said, Tokens::kRoot}};
  return said != nullptr;
}

}  // namespace elman::c
