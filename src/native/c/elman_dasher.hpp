// A language model for DasherCore, over elman_typist.h: a class to give to its registry of language models.
//
//   #include "DasherCore/LanguageModelling/LMRegistry.h"
//   #include "elman_dasher.hpp"
//   registry.registerLM({7, "Elman", "Recurrent network", false, true, {},
//       [model](CSettingsStore*, const CAlphInfo* alphabet, const CAlphabetMap*, int count) -> CLanguageModel* {
//         std::vector<std::string> symbols;
//         for (int i = 1; i <= count; ++i) symbols.push_back(alphabet->GetText(i));
//         return new elman::DasherModel<CLanguageModel>(model, symbols);
//       }});
//
// `Base` is CLanguageModel, of which no line is here. Symbols are 1 .. count; probability 0 belongs to none. One that is not a
// single character keeps the smallest frequency, and its characters are context.
#pragma once
#include <stdexcept>
#include <string>
#include <vector>

#include "elman_typist.h"

namespace elman {

template <class Base>
class DasherModel : public Base {
 public:
  using Context = typename Base::Context;

  // learns: LearnSymbol counts. Without it, it only reads: for a host that trains at each start with the text that the model was
  // trained with.
  DasherModel(const elman_model* model, const std::vector<std::string>& symbols, bool learns = true, double floor = 1e-5,
              int width = 4, double least = 1e-3)
      : Base(int(symbols.size())), symbols_(symbols), places_(symbols.size(), -1), learns_(learns) {
    std::vector<const char*> single;
    for (size_t i = 0; i < symbols.size(); ++i) {
      if (symbols_[i] == "\r\n") symbols_[i] = "\n";
      if (!is_character(symbols_[i])) continue;
      places_[i] = int(single.size());
      single.push_back(symbols_[i].c_str());
    }
    elman_typing how = {floor, width, least};
    count_ = single.size();
    first_ = elman_typist_new(model, single.data(), int32_t(single.size()), &how);
    if (!first_) throw std::runtime_error(elman_error());
  }
  ~DasherModel() override { elman_typist_free(first_); }
  DasherModel(const DasherModel&) = delete;
  DasherModel& operator=(const DasherModel&) = delete;

  Context CreateEmptyContext() override { return CloneContext(Context(first_)); }
  Context CloneContext(Context context) override { return Context(elman_typist_copy(typist(context))); }
  void ReleaseContext(Context context) override { elman_typist_free(typist(context)); }

  void EnterSymbol(Context context, int symbol) override {
    if (!is_symbol(symbol)) return;
    const std::string& text = symbols_[size_t(symbol) - 1];
    elman_typist_read(typist(context), text.data(), int64_t(text.size()));
  }
  void LearnSymbol(Context context, int symbol) override {
    if (learns_ && is_symbol(symbol) && place_of(symbol) >= 0) elman_typist_learn(typist(context), place_of(symbol));
    else EnterSymbol(context, symbol);
  }

  // probs: 0, and then a share of `norm` for each symbol, of which `uniform` is spread evenly; they add up to `norm`.
  void GetProbs(Context context, std::vector<unsigned int>& probs, int norm, int uniform) const override {
    size_t size = symbols_.size();
    probs.assign(size + 1, 0);
    unsigned int left = unsigned(uniform), others = unsigned(size - count_);
    for (size_t i = 1; i <= size; ++i) left -= probs[i] = left / unsigned(size + 1 - i);
    std::vector<uint32_t> frequencies(count_);
    unsigned int rest = unsigned(norm - uniform), spare = rest > others ? others : 0;
    if (elman_typist_frequencies(typist(context), rest - spare, frequencies.data())) {  // fewer than there are symbols
      for (size_t i = 1; i <= size; ++i) {
        unsigned int share = rest / unsigned(size + 1 - i);
        probs[i] += share, rest -= share;
      }
      return;
    }
    for (size_t i = 1; i <= size; ++i) {
      int place = places_[i - 1];
      probs[i] += place >= 0 ? frequencies[size_t(place)] : spare ? 1 : 0;
    }
  }
  int GetContextLength() const override { return 100; }  // a network reads all that it was given

 private:
  static elman_typist* typist(Context context) { return reinterpret_cast<elman_typist*>(context); }
  static bool is_character(const std::string& text) {
    size_t starts = 0;
    for (char byte : text) starts += (uint8_t(byte) & 0xC0) != 0x80;
    return starts == 1 && text.size() <= 4;
  }
  bool is_symbol(int symbol) const { return symbol > 0 && size_t(symbol) <= symbols_.size(); }
  int place_of(int symbol) const { return places_[size_t(symbol) - 1]; }

  std::vector<std::string> symbols_;
  std::vector<int> places_;            // in the typist's alphabet, or -1
  size_t count_ = 0;                   // of the typist's alphabet
  bool learns_;
  elman_typist* first_ = nullptr;
};

}  // namespace elman
