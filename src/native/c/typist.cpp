// The typist's border: what a caller can get wrong is refused here. What it computes is src/elman/typing/typist.py.
#include "elman_typist.h"

#include <cmath>
#include <cstring>

#include "counts.h"
#include "error.h"
#include "paths.h"
#include "primed.h"
#include "utf8.h"

namespace elman::c {

constexpr double kLeast = 1e-12;       // of a probability that is learned from
constexpr int32_t kMostSymbols = 500;  // contexts of seven are numbers of 64 bits

struct Alphabet {
  std::vector<std::string> symbols;
  std::unordered_map<std::string, int32_t> places;
  double floor = 0.0;
  bool records = false;
  Paths paths;
  Counts counts;
  Primed primed;
  explicit Alphabet(std::vector<std::string> given) : symbols(std::move(given)), counts(uint32_t(symbols.size()) + 1) {
    for (size_t i = 0; i < symbols.size(); ++i) places.emplace(symbols[i], int32_t(i));
  }
};

}  // namespace elman::c

using namespace elman::c;

struct elman_typist {
  std::shared_ptr<Alphabet> alphabet;
  std::vector<Path> paths;
  Contexts contexts;
  Primed::Nodes nodes;                 // of the primed n-grams
};

// Read one character, whose place is the alphabet's size if it is outside of it.
static void enter(elman_typist* t, const std::string& symbol, uint32_t place) {
  Alphabet& alphabet = *t->alphabet;
  bool line = symbol == "\n";
  if (line && alphabet.records) t->paths = alphabet.paths.begin();
  else alphabet.paths.enter(t->paths, symbol);
  const Primed& primed = alphabet.primed;
  if (!primed.empty())
    t->nodes = line ? primed.begin() : primed.followed(t->nodes, place < alphabet.symbols.size() ? primed.of(int32_t(place)) : -1);
  t->contexts = line ? alphabet.counts.begin(uint32_t(alphabet.symbols.size())) : alphabet.counts.followed(t->contexts, place);
}

// The network's distribution, without n-grams and what was counted.
static void of_network(elman_typist* t, std::vector<double>& p) {
  size_t count = t->alphabet->symbols.size();
  t->alphabet->paths.masses(t->paths, p.data());
  double total = 0.0;
  for (size_t i = 0; i < count; ++i) total += p[i];
  for (size_t i = 0; i < count; ++i) p[i] = total > 0.0 ? p[i] / total : 1.0 / double(count);
}

elman_typist* elman_typist_new(const elman_model* model, const char* const* symbols, int32_t count, const elman_typing* how) {
  if (!model || !symbols || !how) return fail("a model, symbols or settings are missing"), nullptr;
  if (count < 2 || count > kMostSymbols) return fail("an alphabet has 2 .. 500 symbols"), nullptr;
  if (!(how->floor >= 0.0) || !(how->floor * count < 1.0)) return fail("the floor must be at least 0, and leave something to the model"), nullptr;
  if (how->width < 0 || !(how->least >= 0.0 && how->least < 1.0)) return fail("width must be at least 0, and least in 0 .. 1"), nullptr;
  std::vector<std::string> given;
  for (int32_t i = 0; i < count; ++i) {
    auto size = symbols[i] ? int64_t(std::strlen(symbols[i])) : 0;
    if (!size || character(symbols[i], size) != size) return fail("symbol " + std::to_string(i) + " is not one character in UTF-8"), nullptr;
    given.emplace_back(symbols[i]);
  }
  auto typist = std::make_unique<elman_typist>();
  auto alphabet = std::make_shared<Alphabet>(std::move(given));
  if (int32_t(alphabet->places.size()) != count) return fail("a symbol is in the alphabet twice"), nullptr;
  alphabet->floor = how->floor, alphabet->records = model->from.header.records != 0;
  if (!alphabet->paths.open(model, alphabet->symbols, how->width, how->least)) return nullptr;
  typist->paths = alphabet->paths.begin();
  typist->contexts = alphabet->counts.begin(uint32_t(count));
  typist->alphabet = std::move(alphabet);
  return typist.release();
}
int elman_typist_prime(elman_typist* typist, const void* bytes, int64_t size) {
  if (!typist) return fail("a typist is missing");
  Alphabet& alphabet = *typist->alphabet;
  if (alphabet.counts.learned() || typist->alphabet.use_count() > 1) return fail("n-grams come before anything is copied or learned");
  std::string wrong = alphabet.primed.read(static_cast<const uint8_t*>(bytes), size, alphabet.symbols);
  if (!wrong.empty()) return fail(wrong);
  typist->nodes = alphabet.primed.begin();
  return 0;
}
elman_typist* elman_typist_copy(const elman_typist* typist) {
  if (!typist) return fail("a typist is missing"), nullptr;
  return new elman_typist(*typist);
}
void elman_typist_free(elman_typist* typist) { delete typist; }

static int check(const elman_typist* typist, int32_t symbol) {
  if (!typist) return fail("a typist is missing");
  auto count = int32_t(typist->alphabet->symbols.size());
  if (symbol >= 0 && symbol < count) return 0;
  return fail("a symbol must be in 0.." + std::to_string(count - 1) + ", got " + std::to_string(symbol));
}

int elman_typist_enter(elman_typist* typist, int32_t symbol) {
  if (int failed = check(typist, symbol)) return failed;
  enter(typist, typist->alphabet->symbols[size_t(symbol)], uint32_t(symbol));
  return 0;
}
int elman_typist_read(elman_typist* typist, const char* text, int64_t size) {
  if (!typist || size < 0 || (size && !text)) return fail("a typist or a text is missing");
  const auto& places = typist->alphabet->places;
  for (int64_t at = 0; at < size;) {
    int64_t width = character(text + at, size - at);
    if (!width) return fail("the text is not UTF-8 at byte " + std::to_string(at));
    std::string symbol(text + at, size_t(width));
    auto found = places.find(symbol);
    enter(typist, symbol, found == places.end() ? uint32_t(places.size()) : uint32_t(found->second));
    at += width;
  }
  return 0;
}

int elman_typist_probabilities(elman_typist* typist, double* p) {
  if (!typist || !p) return fail("a typist or p is missing");
  const Alphabet& alphabet = *typist->alphabet;
  size_t count = alphabet.symbols.size();
  std::vector<double> all(count + 1);
  const Primed& primed = alphabet.primed;
  of_network(typist, all);
  if (!primed.empty()) primed.mix(typist->nodes, all.data());
  if (alphabet.counts.learned()) alphabet.counts.mixed(typist->contexts, all.data());
  double total = 0.0;
  for (size_t i = 0; i < count; ++i) total += p[i] = alphabet.floor + (1.0 - alphabet.floor * double(count)) * all[i];
  for (size_t i = 0; i < count; ++i) p[i] /= total;
  return 0;
}

int elman_typist_frequencies(elman_typist* typist, uint32_t total, uint32_t* frequencies) {
  if (!typist || !frequencies) return fail("a typist or frequencies are missing");
  size_t count = typist->alphabet->symbols.size();
  if (total < count) return fail("total is below the number of symbols, each of which has a frequency of at least 1");
  std::vector<double> p(count);
  if (elman_typist_probabilities(typist, p.data())) return 1;
  uint32_t given = 0;
  size_t top = 0;
  for (size_t i = 0; i < count; ++i) {
    given += frequencies[i] = 1 + uint32_t(p[i] * double(total - uint32_t(count)));
    if (p[i] > p[top]) top = i;
  }
  frequencies[top] += total - given;     // what rounding left; below 0 it is taken away
  return 0;
}

int elman_typist_learn(elman_typist* typist, int32_t symbol) {
  if (int failed = check(typist, symbol)) return failed;
  std::vector<double> p(typist->alphabet->symbols.size() + 1);
  of_network(typist, p);
  Primed& primed = typist->alphabet->primed;
  if (!primed.empty()) {
    std::vector<double> mixed = p;
    primed.mix(typist->nodes, mixed.data());
    primed.learn(typist->nodes, p.data(), symbol);
    p = std::move(mixed);
  }
  double seen = p[size_t(symbol)];
  typist->alphabet->counts.learn(typist->contexts, uint32_t(symbol), seen > kLeast ? seen : kLeast);
  return elman_typist_enter(typist, symbol);
}
int elman_typist_forget(elman_typist* typist) {
  if (!typist) return fail("a typist is missing");
  typist->alphabet->counts.forget();
  typist->alphabet->primed.forget();
  return 0;
}
