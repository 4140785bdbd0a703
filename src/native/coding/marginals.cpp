#include "marginals.h"

#include <algorithm>
#include <string>
#include <utility>

#include "block.h"
#include "fastest.h"

namespace elman::coding {
namespace {

constexpr uint32_t kAll = uint32_t(1) << 28;  // of all paths of a row

inline int bits_of(uint64_t x) { return x ? 64 - __builtin_clzll(x) : 0; }

// What fraction m / of has of `all`, for m <= of, of > 0, all <= kAll: rounded down, and exact but for what 31 bits hold.
struct Sharing {
  int shift;
  uint64_t scale;
  Sharing(uint64_t of, uint64_t all) : shift(std::max(bits_of(of) - 31, 0)), scale((all << 32) / (of >> shift)) {}
  uint32_t operator()(uint64_t m) const { return uint32_t(((m >> shift) * scale) >> 32); }
};

}  // namespace

Marginals::Marginals(std::unique_ptr<Predictor> network, std::shared_ptr<const Tokens> tokens, int64_t first, Followed followed)
    : network_(std::move(network)), tokens_(std::move(tokens)), followed_(followed), first_(std::make_shared<Said>()), frequencies_(size_t(tokens_->ids())) {
  network_->begin(1);
  auto zero = std::make_shared<Said>();
  zero->state.resize(network_->state_size());
  network_->save(0, zero->state.data());
  wanted_.push_back({zero, first, first_});
  read_wanted();
}

Marginals::Kept Marginals::blank() {
  if (spare_.empty()) return std::make_shared<Said>();
  Kept found = std::move(spare_.back());
  spare_.pop_back();
  return found;
}

void Marginals::begin(int64_t rows) {
  rows_.assign(size_t(rows), Row());
  trees_.assign(size_t(rows) * 512, 0);
}
void Marginals::clear(int64_t row) { rows_[size_t(row)] = Row(); }

const float* Marginals::read(const int64_t* bytes) {
  for (size_t r = 0; r < rows_.size(); ++r) {
    Row& row = rows_[r];
    if (row.fresh) row = {{{kAll, first_, tokens_->all()}}, false};
    else step(row, uint8_t(bytes[r]));
  }
  read_wanted();
  for (size_t r = 0; r < rows_.size(); ++r) {
    uint32_t* tree = &trees_[r * 512];
    std::fill_n(tree + 256, 256, 1u);
    for (const Path& path : rows_[r].paths) say(path, tree + 256);
    for (int node = 255; node > 0; --node) tree[node] = tree[2 * node] + tree[2 * node + 1];
  }
  return reinterpret_cast<const float*>(trees_.data());  // not null; nobody reads it beside `trees`
}

// Adds to each byte what the path gives it.
void Marginals::say(const Path& path, uint32_t* leaves) const {
  const uint64_t* below = path.said->below.data();
  uint64_t of = below[path.begun.high] - below[path.begun.low];
  if (!of) return;
  Sharing share(of, path.weight);
  tokens_->each(path.begun, [&](uint8_t byte, int32_t low, int32_t high) { leaves[byte] += share(below[high] - below[low]); });
}

void Marginals::step(Row& row, uint8_t byte) {
  struct Found {
    uint32_t mass;
    const Path* path;
    Range range;
    bool whole;
  };
  std::vector<Found> found;
  for (const Path& path : row.paths) {
    const uint64_t* below = path.said->below.data();
    uint64_t of = below[path.begun.high] - below[path.begun.low];
    Range range = tokens_->next(path.begun, byte);
    if (!of || range.low >= range.high) continue;
    Sharing share(of, path.weight);
    if (tokens_->whole(range)) {
      found.push_back({share(below[range.low + 1] - below[range.low]), &path, range, true});
      ++range.low;
    }
    if (range.low < range.high) found.push_back({share(below[range.high] - below[range.low]), &path, range, false});
  }
  for (size_t i = 1; i < found.size(); ++i)  // few, and ties stay in their order
    for (size_t j = i; j && found[j].mass > found[j - 1].mass; --j) std::swap(found[j], found[j - 1]);
  uint64_t total = 0;
  size_t kept = 0;
  for (const Found& each : found) total += each.mass;
  if (!total) return lost(row, byte);
  uint64_t sum = 0;
  while (kept < found.size() && kept < size_t(followed_.ways) && (!kept || uint64_t(found[kept].mass) << followed_.least >= total)) sum += found[kept++].mass;
  std::vector<Path> made;
  for (size_t i = 0; i < kept; ++i) {
    const Found& each = found[i];
    auto weight = uint32_t(uint64_t(each.mass) * kAll / sum);
    if (!each.whole) {
      made.push_back({weight, each.path->said, each.range});
      continue;
    }
    made.push_back({weight, blank(), tokens_->all()});
    wanted_.push_back({each.path->said, tokens_->order()[size_t(each.range.low)], made.back().said});
  }
  for (Path& old : row.paths)
    if (old.said.use_count() == 1) spare_.push_back(std::move(old.said));
  row.paths = std::move(made);
}

// A byte that no path goes on with: the heaviest begins anew with the longest tokens that spell what it had begun, and the byte.
void Marginals::lost(Row& row, uint8_t byte) {
  const Range begun = row.paths[0].begun;
  std::string text(tokens_->bytes(begun.low).substr(0, size_t(begun.depth)));
  text += char(byte);
  Kept said = row.paths[0].said;
  std::vector<Wanted> others;
  others.swap(wanted_);
  for (size_t at = 0; at < text.size();) {
    Range range = tokens_->all(), longest{};
    for (size_t i = at; i < text.size() && range.low < range.high; ++i) {
      range = tokens_->next(range, uint8_t(text[i]));
      if (tokens_->whole(range)) longest = range, ++range.low;
    }
    wanted_.push_back({said, tokens_->order()[size_t(longest.low)], blank()});
    said = wanted_.back().to;
    read_wanted();
    at += size_t(longest.depth);
  }
  wanted_.swap(others);
  row.paths = {{kAll, said, tokens_->all()}};
}

// Reads all that is wanted, side by side.
void Marginals::read_wanted() {
  auto count = int64_t(wanted_.size());
  if (!count) return;
  network_->begin(count);
  ids_.clear();
  for (const Wanted& each : wanted_) {
    network_->load(int64_t(ids_.size()), each.after->state.data());
    ids_.push_back(each.token);
  }
  const float* logits = network_->read(ids_.data());
  for (int64_t i = 0; i < count; ++i, logits += tokens_->ids()) {
    Said& to = *wanted_[size_t(i)].to;
    to.state.resize(network_->state_size());
    network_->save(i, to.state.data());
    fastest(level_of(1, 1), [&](auto) { fine_frequencies(logits, tokens_->ids(), frequencies_.data()); });
    to.below.resize(tokens_->order().size() + 1);
    uint64_t sum = 0, *below = to.below.data();
    *below++ = 0;
    for (int32_t id : tokens_->order()) *below++ = sum += frequencies_[size_t(id)];
  }
  wanted_.clear();
}

}  // namespace elman::coding
