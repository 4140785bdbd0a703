#include "past.h"

#include <algorithm>

#include "fastest.h"
#include "foretold.h"
#include "range.h"

namespace elman::coding {
namespace {

constexpr int64_t kTogether = 96 << 10;    // bytes of the past from which the mixers learn beside the network
constexpr size_t kRows = 64;               // of messages that the network reads side by side

// The message from `from` to `to`, which are known.
template <class Stages>
void learn_one(BitModel<true, Stages>& model, const Lesson& lesson, int64_t from, int64_t to, const Way* ways, bool watch) {
  const Text& past = lesson.past;
  const auto size = int64_t(past.size());
  Row row = fresh_row(lesson.memory, lesson.end);
  uint32_t tree[512];
  for (int64_t at = from; at < to; ++at) {
    int byte = past[size_t(at)];
    if (ways) ways[at - from].fill(tree, byte);
    model.begin_byte(row, ways ? tree : nullptr, past.data(), byte, ways ? &ways[at - from].foreseen : nullptr);
    for (int i = 7; i >= 0; --i) {
      if (watch) {
        model.watch(byte >> i & 1);
      } else {
        model.predict();
        model.update(byte >> i & 1);
      }
    }
    model.end_byte(past.data() + at + 1, at - from + 1, past.data(), size, size);
    model.remember(row, at + 1 < to ? at + 1 : 0);
  }
}

// A message from `from` on, coded. Where it ends; -1: the code is lost.
template <class Stages>
int64_t code_one(BitModel<true, Stages>& model, RangeCoder& coder, const Lesson& lesson, int64_t from, bool watch) {
  Text& past = lesson.past;
  const auto size = int64_t(past.size());
  const Alphabet& alphabet = lesson.alphabet;
  Predictor* network = watch ? nullptr : lesson.network;
  Row row = fresh_row(lesson.memory, lesson.end);
  int64_t id = alphabet.first;
  uint32_t tree[512];
  if (network) network->clear(0);
  for (int64_t at = from; at < size;) {
    const float* logits = network ? network->read(&id) : nullptr;
    const uint32_t* likely = logits ? tree_of_row<Stages>(*network, logits, 0, alphabet.names(), tree) : nullptr;
    const int known = coder.decodes() ? -1 : past[size_t(at)];
    model.begin_byte(row, likely, past.data(), known);
    for (int i = 7; i >= 0; --i) {
      if (watch) {
        model.watch_guessed(coder.code(known >> i & 1, model.guess()));
      } else {
        model.update(coder.code(known >> i & 1, model.predict()));
      }
    }
    const int byte = model.byte();
    if (coder.lost()) return -1;
    past[size_t(at)] = uint8_t(byte);
    ++at;
    model.end_byte(past.data() + at, at - from, past.data(), size, size);
    const bool ends = byte == lesson.end || at == size;
    model.remember(row, ends ? 0 : at);
    if (ends) return at;
    id = alphabet.id_of(byte);
  }
  return size;
}

// Where the past's messages begin, and the end of the last.
std::vector<int64_t> starts_of(const Lesson& lesson, int64_t size) {
  std::vector<int64_t> starts;
  for (int64_t at = 0, begin = 0; at < size; ++at)
    if (lesson.past[size_t(at)] == lesson.end || at + 1 == size) starts.push_back(begin), begin = at + 1;
  starts.push_back(size);
  return starts;
}

bool contexts_alone(const Lesson& lesson, int64_t start) { return int64_t(lesson.past.size()) - start > kTogether; }

// False: the code is lost.
bool code_rest(const Lesson& lesson, int64_t known, RangeCoder coder) {
  learn(lesson, known);
  if (lesson.network) lesson.network->begin(1);
  bool whole = true;
  fastest(lesson.memory.level, [&](auto stages) {
    BitModel<true, decltype(stages)> model(lesson.memory);
    for (int64_t at = known; whole && at < int64_t(lesson.past.size());) {
      at = code_one(model, coder, lesson, at, contexts_alone(lesson, at));
      whole = at >= 0;
    }
  });
  return whole;
}

}  // namespace

void learn(const Lesson& lesson, int64_t size) {
  const std::vector<int64_t> starts = starts_of(lesson, size);
  const size_t messages = starts.size() - 1;
  auto learn_message = [&](size_t m, const Way* ways, bool watch) {
    fastest(lesson.memory.level, [&](auto stages) {
      BitModel<true, decltype(stages)> model(lesson.memory);
      learn_one(model, lesson, starts[m], starts[m + 1], ways, watch);
    });
  };
  size_t first = 0;
  for (; first < messages && contexts_alone(lesson, starts[first]); ++first) learn_message(first, nullptr, true);
  std::vector<std::vector<Way>> ways(kRows);
  for (size_t m = first; m < messages; m += kRows) {
    size_t rows = std::min(kRows, messages - m);
    if (lesson.network)
      fastest(lesson.memory.level, [&](auto stages) {
        foretell<decltype(stages)>(*lesson.network, lesson.alphabet, lesson.past.data(), &starts[m], rows, ways);
      });
    for (size_t r = 0; r < rows; ++r) learn_message(m + r, lesson.network ? ways[r].data() : nullptr, false);
  }
}

std::optional<Text> encode_past(const Lesson& lesson, int64_t known) {
  RangeEncoder coder;
  code_rest(lesson, known, RangeCoder(coder));
  Text code = coder.finish();
  if (!coder.sound()) return std::nullopt;
  return code;
}

bool decode_past(const Lesson& lesson, int64_t known, const uint8_t* code, int64_t code_size) {
  RangeDecoder coder(code, code_size);
  return code_rest(lesson, known, RangeCoder(coder));
}

}  // namespace elman::coding
