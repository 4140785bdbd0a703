#include "tokens.h"

#include <algorithm>

#include "error.h"

namespace elman::c {

constexpr size_t kLongest = 1024;

int32_t Tokens::next(int32_t node, uint8_t byte) const {
  const auto& next = at(node).next;
  auto found = std::lower_bound(next.begin(), next.end(), byte, [](const auto& each, uint8_t b) { return each.first < b; });
  return found != next.end() && found->first == byte ? found->second : -1;
}

// The node of tokens low .. high-1, which have `depth` bytes in common; its parts after it.
int32_t Tokens::grown(const std::vector<std::pair<std::string, int32_t>>& sorted, size_t low, size_t high, size_t depth) {
  auto made = int32_t(nodes_.size());
  nodes_.push_back({int32_t(low), int32_t(high), -1, {}, {}});
  size_t at = low;
  if (at < high && sorted[at].first.size() == depth) nodes_[size_t(made)].token = sorted[at++].second;
  while (at < high) {
    size_t end = at;
    char byte = sorted[at].first[depth];
    while (end < high && sorted[end].first[depth] == byte) ++end;
    int32_t child = grown(sorted, at, end, depth + 1);
    nodes_[size_t(made)].next.emplace_back(uint8_t(byte), child);
    at = end;
  }
  return made;
}

bool Tokens::read(const elman_model* model, const std::vector<std::string>& symbols) {
  elman_facts facts;
  if (elman_facts_of(model, &facts)) return false;
  whole_ = facts.tokens == ELMAN_CHARACTERS;
  std::vector<std::pair<std::string, int32_t>> sorted;
  for (int32_t id = 0; id < facts.vocab; ++id) {
    int64_t size = 0;
    const char* bytes = elman_token(model, id, &size);
    if (bytes && size > 0 && (!whole_ || id > 0)) sorted.emplace_back(std::string(bytes, size_t(size)), id);  // 0: <unk>
  }
  std::sort(sorted.begin(), sorted.end());             // std::string compares bytes as unsigned
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i].first.size() > kLongest) return fail("a token has more than 1024 bytes"), false;
    if (i && sorted[i].first == sorted[i - 1].first) return fail("two tokens of the model are the same bytes"), false;
  }
  for (const auto& each : sorted) order_.push_back(each.second);
  grown(sorted, 0, sorted.size(), 0);
  for (size_t node = 0; node < nodes_.size(); ++node)
    for (size_t place = 0; place < symbols.size(); ++place) {
      auto to = int32_t(node);
      for (char byte : symbols[place])
        if ((to = next(to, uint8_t(byte))) < 0) break;
      if (to >= 0) nodes_[node].symbols.push_back({int32_t(place), at(to).low, at(to).high});
    }
  return true;
}

}  // namespace elman::c
