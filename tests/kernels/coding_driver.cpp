// Hashes of codes, the same from every compiler and processor: one line a case. The network is arithmetic on what was read.
#include <cstdio>
#include <type_traits>
#include <vector>

#include "coding/block.h"
#include "coding/integer_predictor.h"
#include "coding/messages.h"

using namespace elman::coding;

namespace elman::integer {
namespace ELMAN_CODING_ISA { extern const Table table; }
}  // namespace elman::integer

namespace {

uint64_t hash(const Text& text) {
  uint64_t h = 14695981039346656037u;
  for (uint8_t byte : text) h = (h ^ byte) * 1099511628211u;
  return h;
}

// Logits between -12 and 4, a function of the last two ids of a row.
class Arithmetic : public Predictor {
 public:
  int64_t ids() const override { return 256; }
  void begin(int64_t rows) override { state_.assign(size_t(rows), 0), logits_.assign(size_t(rows) * 256, 0.0f); }
  void clear(int64_t row) override { state_[size_t(row)] = 0; }
  const float* read(const int64_t* ids) override {
    for (size_t r = 0; r < state_.size(); ++r) {
      state_[r] = uint32_t(state_[r] << 8 | uint32_t(ids[r])) & 0xFFFF;
      for (uint32_t j = 0; j < 256; ++j)
        logits_[r * 256 + j] = float(((state_[r] + 1) * 2654435761u ^ j * 40503u * 65537u) >> 20) / 256.0f - 12.0f;
    }
    return logits_.data();
  }

 private:
  std::vector<uint32_t> state_;
  std::vector<float> logits_;
};

class ArithmeticSource : public Source {
 public:
  std::unique_ptr<Predictor> open() const override { return std::make_unique<Arithmetic>(); }
};

// An integer GRU 2 x 40, whose weights are a linear congruence.
IntegerSource integers() {
  constexpr int64_t H = 40, V = 256, N = 3 * H;
  uint32_t x = 7;
  auto draw = [&](auto& to, size_t size, int reach) {
    to.resize(size);
    for (auto& v : to) v = std::decay_t<decltype(v)>(int32_t((x = x * 1664525u + 1013904223u) >> 16) % (2 * reach + 1) - reach);
  };
  struct Layer {
    std::vector<int8_t> ih, hh;
    std::vector<int32_t> bias, bias_hn;
  } layers[2];
  std::vector<float> scale(N, 0.25f), out_scale(V, 0x1p-10f), out_bias(V, 0.0f);
  std::vector<elman::integer::LayerArrays> arrays;
  for (Layer& l : layers) {
    draw(l.ih, N * H, 127), draw(l.hh, N * H, 127), draw(l.bias, N, 2000), draw(l.bias_hn, H, 2000);
    bool first = arrays.empty();
    arrays.push_back({first ? nullptr : l.ih.data(), first ? nullptr : scale.data(), l.hh.data(), scale.data(),
                      first ? nullptr : l.bias.data(), l.bias_hn.data()});
  }
  std::vector<int32_t> inputs;
  std::vector<int8_t> output;
  draw(inputs, V * N, 4000), draw(output, V * H, 127);
  return IntegerSource(std::make_shared<const elman::integer::Packed>(elman::integer::ELMAN_CODING_ISA::table, elman::GRU, 8, H, V,
                                                                      arrays, inputs.data(), output.data(), out_scale.data(),
                                                                      out_bias.data()));
}

Text sample(int64_t size) {
  Text text;
  uint32_t x = 1;
  const char* words[] = {"the ", "of ", "and\n", "time ", "traveller, ", "was ", "\xc3\xa9t\xc3\xa9 ", "0x1F "};
  while (int64_t(text.size()) < size) {
    x = x * 1664525u + 1013904223u;
    for (const char* c = words[x >> 29]; *c; ++c) text.push_back(uint8_t(*c));
  }
  text.resize(size_t(size));
  return text;
}

}  // namespace

int main() {
  Arithmetic network;
  Alphabet alphabet;
  Text text = sample(6000);
  for (int of_contract = 1; of_contract <= kLevels + 4; ++of_contract)
    for (int64_t rows : {1, 7})
      for (Predictor* predictor : {static_cast<Predictor*>(nullptr), static_cast<Predictor*>(&network)}) {
        const int contract = of_contract <= kLevels ? 1 : 2, level = contract == 1 ? of_contract : of_contract - 4;
        Block block{level, rows, int64_t(text.size()), contract};
        Text code = *encode_block(block, predictor, alphabet, text.data()), back(text.size());
        decode_block(block, predictor, alphabet, code.data(), int64_t(code.size()), back.data());
        std::printf("%s %d %d %d: %zu %016llx %s\n", contract == 1 ? "block" : "block_2", level, int(rows), predictor != nullptr, code.size(),
                    static_cast<unsigned long long>(hash(code)), back == text ? "same" : "LOST");
      }
  ArithmeticSource arithmetic;
  for (const Source* source : {static_cast<const Source*>(nullptr), static_cast<const Source*>(&arithmetic)}) {
    Messages messages(6, source ? &network : nullptr, alphabet, '\n', text);
    std::vector<Piece> pieces;
    for (int64_t size = 0; size < 90; size += 3) pieces.push_back({text.data() + 11 * size, size});
    std::vector<Text> codes = messages.encode(source, pieces);
    Text all;
    for (const Text& code : codes) all.insert(all.end(), code.begin(), code.end());
    std::printf("messages %d: %zu %016llx\n", source != nullptr, all.size(), static_cast<unsigned long long>(hash(all)));
  }
  auto gru = integers().open();
  for (int64_t rows : {1, 7, 12, 30}) {
    Block block{6, rows, 2000};
    Text code = *encode_block(block, gru.get(), alphabet, text.data()), back(2000);
    decode_block(block, gru.get(), alphabet, code.data(), int64_t(code.size()), back.data());
    text.resize(2000);
    std::printf("integer %d: %zu %016llx %s\n", int(rows), code.size(), static_cast<unsigned long long>(hash(code)),
                back == text ? "same" : "LOST");
  }
}
