#include "tokens.h"

#include <algorithm>

namespace elman::coding {

std::shared_ptr<const Tokens> Tokens::make(const std::vector<std::string>& of_ids) {
  auto made = std::make_shared<Tokens>();
  made->ids_ = int64_t(of_ids.size());
  for (size_t id = 0; id < of_ids.size(); ++id)
    if (!of_ids[id].empty()) made->order_.push_back(int32_t(id));
  // std::string compares bytes as unsigned
  std::sort(made->order_.begin(), made->order_.end(), [&](int32_t a, int32_t b) { return of_ids[size_t(a)] < of_ids[size_t(b)]; });
  made->at_.push_back(0);
  for (int32_t id : made->order_) {
    made->text_ += of_ids[size_t(id)];
    made->at_.push_back(made->text_.size());
  }
  auto count = int32_t(made->order_.size());
  for (int32_t place = 1; place < count; ++place)
    if (made->bytes(place) == made->bytes(place - 1)) return nullptr;
  int32_t place = 0;
  for (int byte = 0; byte < 256; ++byte) {
    made->first_[size_t(byte)] = place;
    if (place == count || made->bytes(place) != std::string(1, char(byte))) return nullptr;
    while (place < count && made->byte_at(place, 0) == byte) ++place;
  }
  made->first_[256] = place;
  return made;
}

Range Tokens::next(const Range& range, uint8_t byte) const {
  if (!range.depth) return {first_[byte], first_[size_t(byte) + 1], 1};
  int32_t low = range.low, high = range.high;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (byte_at(middle, range.depth) < byte) low = middle + 1;
    else high = middle;
  }
  return {low, low < range.high ? end_of(low, range.high, range.depth, byte) : low, range.depth + 1};
}

// Where those end, of low .. high-1, that have this byte at this depth, as the first may.
int32_t Tokens::end_of(int32_t low, int32_t high, int32_t depth, uint8_t byte) const {
  int32_t step = 1;
  while (low < high && byte_at(low, depth) == byte) {
    low += step;
    step *= 2;
    if (low >= high || byte_at(low, depth) != byte) {
      int32_t from = low - step / 2, to = std::min(low, high);  // the end lies in from+1 .. to
      while (from + 1 < to) {
        int32_t middle = from + (to - from) / 2;
        if (byte_at(middle, depth) == byte) from = middle;
        else to = middle;
      }
      return to;
    }
  }
  return low;
}

}  // namespace elman::coding
