// The tokens of a vocabulary as byte strings in order, in which those that begin alike are a range.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace elman::coding {

// Tokens low .. high-1 in order; all of them begin with the same `depth` bytes.
struct Range {
  int32_t low, high, depth;
};

class Tokens {
 public:
  // of_ids (V): the bytes of each id; empty: no text has it. Null: a byte has no token, or two tokens are the same bytes.
  static std::shared_ptr<const Tokens> make(const std::vector<std::string>& of_ids);

  int64_t ids() const { return ids_; }
  const std::vector<int32_t>& order() const { return order_; }  // ids by their bytes
  Range all() const { return {0, int32_t(order_.size()), 0}; }
  std::string_view bytes(int32_t place) const { return {&text_[at_[size_t(place)]], at_[size_t(place) + 1] - at_[size_t(place)]}; }
  // Whether the first token of the range is exactly its common bytes.
  bool whole(const Range& range) const { return range.low < range.high && int32_t(bytes(range.low).size()) == range.depth; }
  // Those of the range that go on with this byte. The token that is exactly its common bytes must not be in it.
  Range next(const Range& range, uint8_t byte) const;
  // f(byte, low, high) for each byte with which tokens of the range go on; likewise.
  template <class F>
  void each(const Range& range, F&& f) const {
    if (!range.depth) {
      for (size_t b = 0; b < 256; ++b) f(uint8_t(b), first_[b], first_[b + 1]);
      return;
    }
    for (int32_t at = range.low; at < range.high;) {
      uint8_t byte = byte_at(at, range.depth);
      int32_t end = end_of(at, range.high, range.depth, byte);
      f(byte, at, end);
      at = end;
    }
  }

 private:
  uint8_t byte_at(int32_t place, int32_t depth) const { return uint8_t(text_[at_[size_t(place)] + size_t(depth)]); }
  int32_t end_of(int32_t low, int32_t high, int32_t depth, uint8_t byte) const;

  int64_t ids_ = 0;
  std::vector<int32_t> order_;
  std::vector<size_t> at_;                 // (N + 1): where each begins in the text
  std::string text_;
  std::array<int32_t, 257> first_{};       // of those that begin with each byte
};

}  // namespace elman::coding
