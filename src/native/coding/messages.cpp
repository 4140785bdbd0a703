#include "messages.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "../team/failures.h"
#include "../team/pool.h"
#include "fastest.h"
#include "past.h"
#include "range.h"

namespace elman::coding {
namespace {

constexpr uint32_t kLiteral = 16;          // of 65536: that an `end` belongs to the message
constexpr uint32_t kMark = 61440;          // of 65536: that a mark is a 1
constexpr int64_t kRows = 64;              // of messages side by side
constexpr int64_t kFewest = 12;            // messages for a thread

// One message on its way. Out is what it has written, or read.
template <class Coder>
struct Lane {
  int64_t message = -1;                    // its number; -1: idle
  Coder coder;
  Row row;
  Text text;                               // so far; when encoding it is not kept
  int64_t done = 0;                        // bytes
};

// This thread's share of `count` messages through its lanes: a lane that is done takes the next message, number `next` of
// those that no thread has begun. `take(lane)` begins number lane.message; `step(lane, model)` codes a byte and returns it,
// or -1 after the end.
template <class Stages, class Coder, class Take, class Step>
inline void run_lanes(const Memory& memory, Predictor* network, const Alphabet& alphabet, uint8_t end, int64_t count,
                      std::atomic<int64_t>& next, std::vector<Lane<Coder>>& lanes, Take&& take, Step&& step) {
  auto rows = int64_t(lanes.size());
  std::vector<int64_t> ids(lanes.size(), alphabet.first);
  std::vector<uint32_t> tree(512);
  BitModel<false, Stages> model(memory);
  int64_t active = 0;
  auto begin = [&](int64_t r) {
    Lane<Coder>& lane = lanes[size_t(r)];
    int64_t message = next.fetch_add(1);
    lane.message = message < count ? message : -1;
    ids[size_t(r)] = alphabet.first;
    if (lane.message < 0) return;
    ++active;
    lane.row = fresh_row(memory, end);
    lane.done = 0;
    lane.text.clear();
    take(lane);
    if (network) network->clear(r);
  };
  if (network) network->begin(rows);
  for (int64_t r = 0; r < rows; ++r) begin(r);
  while (active) {
    const float* logits = network ? network->read(ids.data()) : nullptr;
    for (int64_t r = 0; r < rows; ++r) {
      Lane<Coder>& lane = lanes[size_t(r)];
      if (lane.message < 0) continue;
      if (r + 1 < rows) memory.prefetch(lanes[size_t(r + 1)].row);
      const uint32_t* likely = logits ? tree_of_row<Stages>(*network, logits, r, alphabet.names(), tree.data()) : nullptr;
      int byte = step(lane, model, likely);
      if (byte < 0) {
        --active;
        begin(r);
        continue;
      }
      ids[size_t(r)] = alphabet.id_of(byte);
    }
  }
}

// Many messages by several threads, each with its own network, few by one, whose network may use several.
template <class Coder, class Take, class Step>
inline void run_threads(const Memory& memory, const Source* source, const Alphabet& alphabet, uint8_t end, int64_t count,
                        Take&& take, Step&& step) {
  auto threads = int(std::max<int64_t>(1, std::min<int64_t>(get_threads(), count / kFewest)));
  std::atomic<int64_t> next{0};
  std::vector<Failure> failed(static_cast<size_t>(threads));
  parallel(threads, [&](const Team& team) {
    failed[size_t(team.id)].catch_from([&] {
      auto network = source ? source->open() : nullptr;
      std::vector<Lane<Coder>> lanes(size_t(std::min(kRows, (count + team.n - 1) / team.n)));
      fastest(memory.level, [&](auto stages) { run_lanes<decltype(stages)>(memory, network.get(), alphabet, end, count, next, lanes, take, step); });
    });
  });
  for (const Failure& one : failed) one.rethrow();
}

template <class Coder, class Model>
inline int code_byte(Coder& coder, Model& model, int byte) {
  for (int i = 7; i >= 0; --i) model.update(coder.code(byte >> i & 1, model.predict()));
  return model.byte();
}

// The codes that mean an unchanged message.
bool is_raw(const Piece& code) { return code.size > 0 && code.bytes[0] == kNeverFirst; }

}  // namespace

Messages::Messages(int level, Predictor* network, const Alphabet& alphabet, uint8_t end, Text past, int contract, int mark)
    : Messages(level, alphabet, end, std::move(past), contract, mark, network != nullptr) {
  learn(lesson(network), int64_t(past_.size()));
}

Messages::Messages(int level, const Alphabet& alphabet, uint8_t end, Text past, int contract, int mark, bool network)
    : memory_(level_of(contract, level), kRules[contract - 1], network, std::max<int64_t>(int64_t(past.size()), 1)), alphabet_(alphabet),
      end_(end), mark_(mark), past_(std::move(past)) {
  if (network && past_.empty()) memory_.trust_network();
}

std::optional<std::pair<Messages, Text>> Messages::encoding(int level, Predictor* network, const Alphabet& alphabet, uint8_t end, Text past,
                                                            int64_t known, int contract) {
  Messages messages(level, alphabet, end, std::move(past), contract, -1, network != nullptr);
  std::optional<Text> code = encode_past(messages.lesson(network), known);
  if (!code) return std::nullopt;
  return std::pair(std::move(messages), std::move(*code));
}

std::optional<Messages> Messages::decoding(int level, Predictor* network, const Alphabet& alphabet, uint8_t end, Text past, int64_t known,
                                           const Piece& code, int contract) {
  Messages messages(level, alphabet, end, std::move(past), contract, -1, network != nullptr);
  if (!decode_past(messages.lesson(network), known, code.bytes, code.size)) return std::nullopt;
  return messages;
}

std::vector<Text> Messages::encode(const Source* source, const std::vector<Piece>& messages) const {
  auto count = int64_t(messages.size());
  std::vector<Text> codes(messages.size());
  auto take = [&](Lane<RangeEncoder>& lane) {
    lane.coder = RangeEncoder();
    if (mark_ >= 0) lane.coder.code(mark_, kMark);
  };
  auto step = [&](Lane<RangeEncoder>& lane, auto& model, const uint32_t* tree) {
    const Piece& message = messages[size_t(lane.message)];
    bool ends = lane.done == message.size;
    int byte = ends ? end_ : message.bytes[lane.done];
    model.begin_byte(lane.row, tree, past_.data(), byte);
    code_byte(lane.coder, model, byte);
    if (byte == end_) lane.coder.code(!ends, kLiteral);
    if (ends) {
      Text code = lane.coder.finish();
      if (int64_t(code.size()) > message.size + 1 || !lane.coder.sound()) {
        code.assign(1, kNeverFirst);
        code.insert(code.end(), message.bytes, message.bytes + message.size);
      }
      codes[size_t(lane.message)] = std::move(code);
      return -1;
    }
    ++lane.done;
    model.end_byte(message.bytes + lane.done, lane.done, past_.data(), int64_t(past_.size()) + 1, int64_t(past_.size()));
    return byte;
  };
  run_threads<RangeEncoder>(memory_, source, alphabet_, end_, count, take, step);
  return codes;
}

std::vector<Text> Messages::decode(const Source* source, const std::vector<Piece>& codes, int64_t most, int64_t& too_long) const {
  std::vector<Text> messages(codes.size());
  std::vector<int64_t> coded;              // the numbers of those that are not raw
  const auto none = int64_t(codes.size());
  std::atomic<int64_t> first{none};        // that is too long
  auto refuse = [&](int64_t number) {
    for (int64_t least = first; number < least && !first.compare_exchange_weak(least, number);) {}
  };
  for (size_t i = 0; i < codes.size(); ++i) {
    if (!is_raw(codes[i])) coded.push_back(int64_t(i));
    else if (codes[i].size - 1 > most) refuse(int64_t(i));
    else messages[i].assign(codes[i].bytes + 1, codes[i].bytes + codes[i].size);
  }
  auto count = int64_t(coded.size());
  auto take = [&](Lane<RangeDecoder>& lane) {
    const Piece& code = codes[size_t(coded[size_t(lane.message)])];
    lane.coder = RangeDecoder(code.bytes, code.size);
    if (mark_ >= 0) lane.coder.code(0, kMark);
  };
  auto step = [&](Lane<RangeDecoder>& lane, auto& model, const uint32_t* tree) {
    model.begin_byte(lane.row, tree, past_.data(), -1);
    int byte = code_byte(lane.coder, model, 0);
    bool ends = byte == end_ && !lane.coder.code(0, kLiteral);
    if (!ends && (int64_t(lane.text.size()) == most || lane.coder.ones_follow() || lane.coder.lost())) {  // no end comes
      refuse(coded[size_t(lane.message)]);
      lane.text.clear();
      return -1;
    }
    if (ends) {
      messages[size_t(coded[size_t(lane.message)])] = std::move(lane.text);
      return -1;
    }
    lane.text.push_back(uint8_t(byte));
    ++lane.done;
    model.end_byte(lane.text.data() + lane.done, lane.done, past_.data(), int64_t(past_.size()) + 1, int64_t(past_.size()));
    return byte;
  };
  run_threads<RangeDecoder>(memory_, source, alphabet_, end_, count, take, step);
  too_long = first == none ? -1 : first.load();
  return messages;
}

}  // namespace elman::coding
