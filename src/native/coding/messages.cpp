#include "messages.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "../team/failures.h"
#include "../team/pool.h"
#include "fastest.h"
#include "foretold.h"
#include "range.h"

namespace elman::coding {
namespace {

constexpr uint32_t kLiteral = 16;          // of 65536: that an `end` belongs to the message
constexpr uint32_t kMark = 61440;          // of 65536: that a mark is a 1
constexpr int64_t kRows = 64;              // of messages side by side
constexpr int64_t kFewest = 12;            // messages for a thread
constexpr int64_t kTogether = 96 << 10;    // bytes of the past from which the mixers learn beside the network

Row fresh_row(const Memory& memory, uint8_t end) {
  Row row;
  row.last = end;
  memory.look_ahead(row);
  return row;
}

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
      const uint32_t* likely = logits ? tree_of_row<Stages>(*network, logits, r, alphabet.plain ? nullptr : alphabet.of_byte, tree.data()) : nullptr;
      int byte = step(lane, model, likely);
      if (byte < 0) {
        --active;
        begin(r);
        continue;
      }
      int64_t id = alphabet.plain ? byte : alphabet.of_byte[byte];
      ids[size_t(r)] = id < 0 ? alphabet.unknown : id;
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

Messages::Messages(int level, Predictor* network, const Alphabet& alphabet, uint8_t end, const uint8_t* past, int64_t size, int contract, int mark)
    : memory_(level_of(contract, level), kRules[contract - 1], network != nullptr, std::max<int64_t>(size, 1)), alphabet_(alphabet), end_(end), mark_(mark), past_(past, past + size) {
  if (network && !size) memory_.trust_network();
  std::vector<int64_t> starts;             // of messages
  for (int64_t at = 0, begin = 0; at < size; ++at)
    if (past_[size_t(at)] == end || at + 1 == size) starts.push_back(begin), begin = at + 1;
  starts.push_back(size);
  auto learn_one = [&](auto& model, int64_t from, int64_t to, const Way* ways, bool watch) {
    Row row = fresh_row(memory_, end);
    uint32_t tree[512];
    for (int64_t at = from; at < to; ++at) {
      int byte = past_[size_t(at)];
      if (ways) ways[at - from].fill(tree, byte);
      model.begin_byte(row, ways ? tree : nullptr, past_.data(), byte, ways ? &ways[at - from].foreseen : nullptr);
      for (int i = 7; i >= 0; --i) {
        if (watch) {
          model.watch(byte >> i & 1);
        } else {
          model.predict();
          model.update(byte >> i & 1);
        }
      }
      model.end_byte(past_.data() + at + 1, at - from + 1, past_.data(), size, size);
      model.remember(row, at + 1 < to ? at + 1 : 0);
    }
  };
  auto learn = [&](int64_t from, int64_t to, const Way* ways, bool watch) {
    fastest(memory_.level, [&](auto stages) {
      BitModel<true, decltype(stages)> model(memory_);
      learn_one(model, from, to, ways, watch);
    });
  };
  // From most of it contexts alone learn, which is fast; from the end the mixers do too, beside the network.
  size_t first = 0, messages = starts.size() - 1;
  for (; first < messages && size - starts[first] > kTogether; ++first) learn(starts[first], starts[first + 1], nullptr, true);
  std::vector<std::vector<Way>> ways(kRows);
  for (size_t m = first; m < messages; m += kRows) {
    size_t rows = std::min<size_t>(kRows, messages - m);
    if (network)
      fastest(memory_.level, [&](auto stages) { foretell<decltype(stages)>(*network, alphabet_, past_.data(), &starts[m], rows, ways); });
    for (size_t r = 0; r < rows; ++r) learn(starts[m + r], starts[m + r + 1], network ? ways[r].data() : nullptr, false);
  }
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
