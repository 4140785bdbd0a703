// A binary range coder: 32-bit range, 16-bit probabilities, carries propagated into the bytes already written.
//
// A code is a number in [0, 255/256), its digits the bytes, as if zeros followed for ever. So the shortest byte string in
// the final interval serves, trailing zeros cost nothing, and no code begins with the byte 255, which callers may use.
//
// What a code of few bytes can make is bounded. Where its digits have ended and its number is the interval's low end, ones
// follow for ever, which needs no model. Where they have ended kMostBehind digits ago and it is not, the code is refused: a
// code that the encoder made by chance would be so in one of 2^64 cases, and it says where one is (`sound`).
#pragma once
#include <cstdint>
#include <vector>

namespace elman::coding {

constexpr uint32_t kWholeRange = 0xFF000000u;
constexpr uint8_t kNeverFirst = 0xFF;
constexpr int64_t kAhead = 4;              // digits that a decoder has read and not used
constexpr int64_t kMostBehind = kAhead + 8;  // zeros that it takes for digits behind a code's end

// `p` everywhere: the probability of a 1, in 1/65536, 1..65535. The interval of a 1 lies first.
class RangeEncoder {
 public:
  int code(int bit, uint32_t p) {
    auto bound = uint32_t((uint64_t(range_) * p) >> 16);  // 0 < bound < range_, as range_ >= 2^24
    if (bit) {
      range_ = bound;
    } else {
      add(bound);
      range_ -= bound;
    }
    while (range_ < (1u << 24)) {
      bytes_.push_back(uint8_t(low_ >> 24));
      low_ <<= 8;
      range_ <<= 8;
    }
    return bit;
  }

  // The shortest byte string whose number lies in the interval; of several the one that a mask gives.
  std::vector<uint8_t> finish() {
    for (int kept = 0; kept <= 4; ++kept) {
      uint64_t below = kept == 4 ? 0 : (uint64_t(1) << (32 - 8 * kept)) - 1;
      uint64_t value = (uint64_t(low_) + below) & ~below;  // the first number from low_ with `kept` digits
      if (value - low_ >= range_) continue;
      if (value > low_) add(uint32_t(value - low_));
      for (int i = 0; i < kept; ++i) bytes_.push_back(uint8_t(low_ >> (24 - 8 * i)));
      break;
    }
    while (!bytes_.empty() && bytes_.back() == 0) bytes_.pop_back();
    sound_ = settled_ + kAhead - int64_t(bytes_.size()) <= kMostBehind;
    return std::move(bytes_);
  }
  // After `finish`: the decoder will not refuse this code.
  bool sound() const { return sound_; }

 private:
  void add(uint32_t amount) {
    settled_ = int64_t(bytes_.size());
    low_ += amount;
    if (low_ >= amount) return;
    auto last = bytes_.rbegin();  // a carry: no code reaches 1, so some byte is below 255
    while (++*last == 0) ++last;
  }

  uint32_t low_ = 0, range_ = kWholeRange;
  std::vector<uint8_t> bytes_;
  int64_t settled_ = 0;                    // digits before those ahead, when the interval's low end last moved
  bool sound_ = true;
};

class RangeDecoder {
 public:
  RangeDecoder() = default;
  RangeDecoder(const uint8_t* bytes, int64_t size) : at_(bytes), end_(bytes + size) {
    for (int i = 0; i < kAhead; ++i) value_ = value_ << 8 | next();
  }

  // Every bit from here on is a 1.
  bool ones_follow() const { return !value_ && at_ == end_; }
  // No encoder made this code.
  bool lost() const { return behind_ > kMostBehind && value_; }

  int code(int, uint32_t p) {
    auto bound = uint32_t((uint64_t(range_) * p) >> 16);
    int bit = value_ < bound;
    if (bit) {
      range_ = bound;
    } else {
      value_ -= bound;
      range_ -= bound;
    }
    while (range_ < (1u << 24)) {
      value_ = value_ << 8 | next();
      range_ <<= 8;
    }
    return bit;
  }

 private:
  uint32_t next() {
    if (at_ < end_) return *at_++;
    ++behind_;
    return 0;
  }

  uint32_t value_ = 0, range_ = kWholeRange;  // value_: the code less the interval's low end; of a sound code < range_
  const uint8_t *at_ = nullptr, *end_ = nullptr;
  int64_t behind_ = 0;                     // zeros taken for digits behind the end
};

// Either of them, for a loop that is compiled once for both ways.
class RangeCoder {
 public:
  explicit RangeCoder(RangeEncoder& encoder) : encoder_(&encoder) {}
  explicit RangeCoder(RangeDecoder& decoder) : decoder_(&decoder) {}

  bool decodes() const { return decoder_ != nullptr; }
  bool ones_follow() const { return decoder_ && decoder_->ones_follow(); }
  bool lost() const { return decoder_ && decoder_->lost(); }
  int code(int bit, uint32_t p) { return decoder_ ? decoder_->code(bit, p) : encoder_->code(bit, p); }

 private:
  RangeEncoder* encoder_ = nullptr;
  RangeDecoder* decoder_ = nullptr;
};

}  // namespace elman::coding
