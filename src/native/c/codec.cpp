// Short messages to shorter codes and back: the part of elman.h that the coder does.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "../coding/float_predictor.h"
#include "../coding/frequencies.h"
#include "../coding/integer_predictor.h"
#include "../coding/marginals.h"
#include "../coding/messages.h"
#include "../team/environment.h"
#include "elman.h"
#include "error.h"
#include "model.h"

using namespace elman;
using coding::Piece;

struct elman_codec {
  std::unique_ptr<const coding::Source> source;  // null: contexts alone
  std::unique_ptr<const coding::Messages> messages;
};

namespace {

using c::fail;

constexpr int kLevel = 6, kEnd = 10;       // as elman.Codec has them unless told otherwise
constexpr int64_t kMost = int64_t(1) << 30;

#if !defined(ELMAN_INTEGERS_ONLY)
// A float model's weights, which stay the model's.
class Floats : public coding::Source {
 public:
  explicit Floats(const Packed& packed) : packed_(packed) {}
  std::unique_ptr<coding::Predictor> open() const override { return std::make_unique<coding::FloatPredictor>(packed_); }

 private:
  const Packed& packed_;
};
#endif

// The ids of the 256 bytes: of characters, ASCII has those of its symbols.
coding::Alphabet alphabet_of(const c::Container& from) {
  coding::Alphabet alphabet;
  if (from.header.tokens == ELMAN_BYTES) return alphabet;
  alphabet.plain = false;
  std::fill_n(alphabet.of_byte, 256, int16_t(-1));
  for (size_t v = 0; v < size_t(from.header.V); ++v) {
    if (from.token_at[v + 1] - from.token_at[v] != 1) continue;
    auto byte = uint8_t(from.token_bytes[from.token_at[v]]);
    if (byte < 128) alphabet.of_byte[byte] = int16_t(v);
  }
  alphabet.first = std::max<int64_t>(alphabet.of_byte[kEnd], alphabet.unknown);
  return alphabet;
}

#if !defined(ELMAN_NO_SUBWORDS)
std::shared_ptr<const coding::Tokens> tokens_of(const c::Container& from) {
  std::vector<std::string> of_ids;
  for (size_t v = 0; v < size_t(from.header.V); ++v)
    of_ids.emplace_back(from.token_bytes.data() + from.token_at[v], from.token_at[v + 1] - from.token_at[v]);
  return coding::Tokens::make(of_ids);
}
#endif

// What was made, where there is room for it.
int64_t put(const std::vector<uint8_t>& made, void* to, int64_t room) {
  auto size = int64_t(made.size());
  if (to && size && size <= room) std::memcpy(to, made.data(), made.size());
  return size;
}

}  // namespace

elman_codec* elman_codec_new(const elman_model* model, const void* past, int64_t size) {
  if (size < 0 || size > kMost || (size && !past)) return fail("the past is missing, or longer than 2^30 bytes"), nullptr;
  auto codec = std::make_unique<elman_codec>();
  coding::Alphabet alphabet;
  if (model) {
    const c::Header& h = model->from.header;
    if (h.tokens != ELMAN_SUBWORDS && (h.V > coding::kMostIds || (h.tokens == ELMAN_BYTES && h.V < 256)))
      return fail("the model's vocabulary is too large or too small to code bytes with"), nullptr;
    if (h.tokens != ELMAN_SUBWORDS) alphabet = alphabet_of(model->from);
    if (model->integers) codec->source = std::make_unique<coding::IntegerSource>(model->integers);
#if !defined(ELMAN_INTEGERS_ONLY)
    else codec->source = std::make_unique<Floats>(model->floats);
#endif
#if defined(ELMAN_NO_SUBWORDS)
    if (h.tokens == ELMAN_SUBWORDS) return fail("this module codes no messages with subwords"), nullptr;
#else
    if (h.tokens == ELMAN_SUBWORDS) {
      auto tokens = tokens_of(model->from);
      if (!tokens) return fail("the model's tokens are not those of every byte, and more"), nullptr;
      codec->source = std::make_unique<coding::MarginalSource>(std::move(codec->source), std::move(tokens), h.start);
    }
#endif
  }
  FloatEnvironment environment;
  auto network = codec->source ? codec->source->open() : nullptr;
  const auto* from = static_cast<const uint8_t*>(past);
  coding::Text text(from, from + size);
  codec->messages = std::make_unique<const coding::Messages>(kLevel, network.get(), alphabet, uint8_t(kEnd), std::move(text));
  return codec.release();
}
void elman_codec_free(elman_codec* codec) { delete codec; }

int64_t elman_codec_encode(const elman_codec* codec, const void* message, int64_t size, void* code, int64_t room) {
  if (!codec || size < 0 || size > kMost || (size && !message)) return fail("a codec or a message is missing, or it is longer than 2^30 bytes"), -1;
  FloatEnvironment environment;
  return put(codec->messages->encode(codec->source.get(), {Piece{static_cast<const uint8_t*>(message), size}})[0], code, room);
}

int64_t elman_codec_decode(const elman_codec* codec, const void* code, int64_t size, void* message, int64_t room) {
  if (!codec || size < 0 || size > kMost || (size && !code) || room < 0 || (room && !message))
    return fail("a codec, a code or room for its message is missing"), -1;
  FloatEnvironment environment;
  int64_t too_long = -1;
  auto made = codec->messages->decode(codec->source.get(), {Piece{static_cast<const uint8_t*>(code), size}}, room, too_long);
  if (too_long >= 0) return fail("this is no code of a message of at most " + std::to_string(room) + " bytes: it is damaged, or of another model or past"), -1;
  return put(made[0], message, room);
}
