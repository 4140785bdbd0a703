// A model that is opened, and texts that it reads and writes: the part of elman.h that knows nothing of layers.
#include <cmath>
#include <cstring>
#include <memory>

#include "../integer/packed.h"
#include "../team/environment.h"
#include "../team/pool.h"
#include "elman.h"
#include "error.h"
#include "model.h"
#include "philox.h"

using namespace elman;

struct elman_state {
  const elman_model* model;
  std::vector<float> h, c;         // (L, H) of a float model
  std::vector<int8_t> h8;          // (L, H) of an integer one
  std::vector<int16_t> c16;
  std::vector<float> logits;       // (V)
  integer::Memory memory;
  elman_state(const elman_model* m) : model(m) {}
  elman_state(const elman_state& o) : model(o.model), h(o.h), c(o.c), h8(o.h8), c16(o.c16), logits(o.logits) {}
};

namespace {

using c::fail;

integer::Rows rows_of(elman_state& s) {
  const integer::Packed& packed = *s.model->integers;
  const integer::Network& n = packed.network();
  void* memory = s.memory.room(packed.table().memory_of(n, 1, 1));
  return {&n, 1, 1, s.h8.data(), s.c16.empty() ? nullptr : s.c16.data(), memory, kernels().choose};
}
Decoder decoder_of(elman_state& s) {
  const Packed& p = s.model->floats;
  return {p.cell, p.L, 1, p.H, p.V, p.layers.data(), p.w_out, p.b_out, s.h.data(), s.c.empty() ? nullptr : s.c.data(),
          s.logits.data(), p.E, p.embedding};
}

void read_ids(elman_state& s, const int64_t* ids, int64_t count) {
  FloatEnvironment environment;
  if (!count) return;
  if (s.model->integers) s.model->integers->table().read(rows_of(s), count, ids, s.logits.data(), false, nullptr, nullptr);
  else kernels().decoder_read(decoder_of(s), count, ids);
}

int check(const elman_state* s, const int64_t* ids, int64_t count) {
  if (!s || count < 0 || (count && !ids)) return fail("a state, or ids, are missing");
  return c::check_ids(ids, count, 0, s->model->V(), "token ids");
}

// What each of `ids` costs after those before it; the state has read them all afterwards.
void cost(elman_state& s, const int64_t* ids, int64_t count, double* nats) {
  FloatEnvironment environment;
  int64_t V = s.model->V();
  std::vector<float> likely(s.model->integers ? 0 : size_t(V));
  for (int64_t i = 0; i < count; ++i) {
    if (s.model->integers) {
      s.model->integers->table().nats(s.logits.data(), ids + i, nats + i, 1, V);
    } else {
      kernels().log_softmax(s.logits.data(), likely.data(), 1, V);
      nats[i] = -double(likely[size_t(ids[i])]);
    }
    read_ids(s, ids + i, 1);
  }
}

}  // namespace

elman_model* elman_open(const void* bytes, int64_t size) {
  auto model = std::make_unique<elman_model>();
  std::string wrong = c::read(static_cast<const uint8_t*>(bytes), size, model->from);
  if (wrong.empty()) wrong = refused_isa();
  if (!wrong.empty()) return fail(wrong), nullptr;
  c::Container& from = model->from;
  const c::Header& h = from.header;
  FloatEnvironment environment;
  if (from.is_float()) {
#if !defined(ELMAN_INTEGERS_ONLY)
    model->floats = pack(from.model());
#endif
  } else {
    std::vector<integer::LayerArrays> layers;
    for (const auto& l : from.layers) {
      bool first = layers.empty();
      layers.push_back({first ? nullptr : l.ih.q.data(), first ? nullptr : l.ih.scale.data(), l.hh.q.data(), l.hh.scale.data(),
                        first ? nullptr : l.bias.data(), h.cell == GRU ? l.bias_hn.data() : nullptr});
    }
    model->integers = std::make_shared<const integer::Packed>(integer::integer_kernels(), h.cell, h.bits == 4 ? 4 : 8, h.H, h.V, layers,
                                                              from.inputs.data(), from.output.q.data(), from.output.scale.data(),
                                                              from.output_bias.data());
    from.layers.clear(), from.inputs.clear(), from.inputs.shrink_to_fit(), from.output = {};
  }
  from.weights.clear();
  model->never.assign(size_t(h.V), 0.0f);
  for (int v = 0; v < h.V; ++v)
    if (from.token_at[size_t(v)] == from.token_at[size_t(v) + 1]) model->never[size_t(v)] = -INFINITY;
  return model.release();
}
void elman_close(elman_model* model) { delete model; }

int elman_facts_of(const elman_model* model, elman_facts* facts) {
  if (!model || !facts) return fail("a model or facts are missing");
  const c::Header& h = model->from.header;
  *facts = {h.cell, h.L, h.H, h.V, h.E, h.bits, h.start, h.tokens, h.normalisation, h.records};
  return 0;
}
const char* elman_token(const elman_model* model, int64_t id, int64_t* size) {
  if (!model || !size || id < 0 || id >= model->V()) return fail("a model or a size is missing, or the id is outside the vocabulary"), nullptr;
  const auto& at = model->from.token_at;
  *size = at[size_t(id) + 1] - at[size_t(id)];
  return model->from.token_bytes.data() + at[size_t(id)];
}
int64_t elman_encode(const elman_model* model, const char* text, int64_t size, int64_t* ids) {
  if (!model || size < 0 || (size && (!text || !ids))) return fail("a model, a text or ids are missing"), -1;
  const c::Container& from = model->from;
  if (from.header.tokens == 2) return fail("this model reads subwords; encode the text where its merges are known"), -1;
  int64_t count = 0;
  for (int64_t at = 0; at < size;) {
    auto lead = uint8_t(text[at]);
    if (from.header.tokens == 1) {
      ids[count++] = lead, ++at;
      continue;
    }
    int64_t width = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4, id = 0;
    if (width > size - at) width = size - at;
    for (int64_t v = 0; v < model->V() && !id; ++v)
      if (from.token_at[size_t(v) + 1] - from.token_at[size_t(v)] == uint32_t(width) &&
          !std::memcmp(from.token_bytes.data() + from.token_at[size_t(v)], text + at, size_t(width)))
        id = v;
    ids[count++] = id, at += width;
  }
  return count;
}

elman_state* elman_state_new(const elman_model* model) {
  if (!model) return fail("a model is missing"), nullptr;
  auto* s = new elman_state(model);
  const c::Header& h = model->from.header;
  auto size = size_t(h.L) * size_t(h.H);
  if (model->integers) s->h8.assign(size, 0), s->c16.assign(h.cell >= GRU ? size : 0, 0);
  else s->h.assign(size, 0.0f), s->c.assign(h.cell == LSTM ? size : 0, 0.0f);
  s->logits.assign(size_t(h.V), 0.0f);
  int64_t start = h.start;
  read_ids(*s, &start, 1);
  return s;
}
elman_state* elman_state_copy(const elman_state* state) {
  if (!state) return fail("a state is missing"), nullptr;
  return new elman_state(*state);
}
void elman_state_free(elman_state* state) { delete state; }

int elman_step(elman_state* state, int64_t id) { return elman_read(state, &id, 1); }
int elman_read(elman_state* state, const int64_t* ids, int64_t count) {
  if (int failed = check(state, ids, count)) return failed;
  read_ids(*state, ids, count);
  return 0;
}
int elman_logits(const elman_state* state, float* logits) {
  if (!state || !logits) return fail("a state or logits are missing");
  std::memcpy(logits, state->logits.data(), state->logits.size() * 4);
  return 0;
}
int elman_hidden(const elman_state* state, int32_t layer, float* hidden) {
  if (!state || !hidden) return fail("a state or hidden is missing");
  const c::Header& h = state->model->from.header;
  if (layer < 0 || layer >= h.L) return fail("there is no such layer");
  for (int64_t i = 0, at = int64_t(layer) * h.H; i < h.H; ++i)
    hidden[i] = state->model->integers ? float(state->h8[size_t(at + i)]) * (1.0f / 127.0f) : state->h[size_t(at + i)];
  return 0;
}
int elman_distribution(const elman_state* state, double* p) {
  if (!state || !p) return fail("a state or p is missing");
  int64_t total = 0;
  std::vector<int32_t> weights(state->logits.size());
  FloatEnvironment environment;
  integer::integer_kernels().weights(state->logits.data(), weights.data(), int64_t(weights.size()));
  for (int32_t w : weights) total += w;
  for (size_t i = 0; i < weights.size(); ++i) p[i] = double(weights[i]) / double(total);
  return 0;
}
int elman_frequencies(const elman_state* state, uint32_t total, uint32_t* frequencies) {
  if (!state || !frequencies) return fail("a state or frequencies are missing");
  auto V = uint32_t(state->model->V());
  if (total < V) return fail("total is below the number of tokens, each of which has a frequency of at least 1");
  std::vector<int32_t> weights(V);
  FloatEnvironment environment;
  integer::integer_kernels().weights(state->logits.data(), weights.data(), V);
  uint64_t sum = 0, given = 0;
  uint32_t top = 0;
  for (uint32_t i = 0; i < V; ++i) sum += uint64_t(weights[i]), top = weights[i] > weights[top] ? i : top;
  for (uint32_t i = 0; i < V; ++i) given += frequencies[i] = 1 + uint32_t(uint64_t(weights[i]) * (total - V) / sum);
  frequencies[top] += uint32_t(total - given);  // what rounding left
  return 0;
}

int elman_score(elman_state* state, const int64_t* ids, int64_t count, double* nats) {
  if (int failed = check(state, ids, count)) return failed;
  if (count && !nats) return fail("nats are missing");
  cost(*state, ids, count, nats);
  return 0;
}

// The settings of a choice; false after a refusal.
static bool choice_of(const elman_state* s, const elman_sampling* how, const double* draws, Choice& to) {
  if (!s || !how) return fail("a state or a sampling is missing"), false;
  if (!(how->temperature >= 0.0) || std::isinf(how->temperature)) return fail("temperature must be 0 or above"), false;
  double exponent = how->temperature > 0.0 ? 1.0 / how->temperature : -1.0;
  if (exponent > 1e38) return fail("temperature is too small to compute with; use 0"), false;
  if (how->top_k < 0 || !(how->top_p >= 0.0 && how->top_p <= 1.0)) return fail("top_k must be at least 0, and top_p in 0 .. 1"), false;
  int64_t V = s->model->V();
  to = {s->model->never.data(), 1.0f, float(exponent), how->top_k < V ? how->top_k : V, how->top_p > 0.0 ? how->top_p : -1.0, -1.0, draws, nullptr};
  return true;
}
static double draw(const elman_sampling* how, int64_t index) {
  return c::random_unit(c::random_word(how->seed, c::kDraws + how->stream, uint64_t(index)));
}

int elman_draw(const elman_state* state, const elman_sampling* how, int64_t index, int64_t* id) {
  Choice choice{};
  if (!id || index < 0) return fail("an id is missing, or index is below 0");
  if (!choice_of(state, how, nullptr, choice)) return 1;
  FloatEnvironment environment;
  int64_t V = state->model->V();
  std::vector<float> memory(size_t(V / 16 + 1) * 16 * 5);
  *id = kernels().choose(choice, V, state->logits.data(), nullptr, draw(how, index), memory.data());
  return *id < 0 ? fail("the model's logits are not numbers") : 0;
}
int elman_generate(elman_state* state, const elman_sampling* how, int64_t index, int64_t count, int64_t* ids) {
  if (index < 0 || count < 0 || (count && !ids)) return fail("ids are missing, or a number is below 0");
  std::vector<double> draws(static_cast<size_t>(count));
  Choice choice{};
  if (!choice_of(state, how, draws.data(), choice)) return 1;
  for (int64_t i = 0; i < count; ++i) draws[size_t(i)] = draw(how, index + i);
  FloatEnvironment environment;
  bool numbers = state->model->integers
                     ? state->model->integers->table().generate(rows_of(*state), count, choice, state->logits.data(), ids)
                     : kernels().decoder_generate(decoder_of(*state), count, choice, ids);
  return numbers ? 0 : fail("the model's logits are not numbers");
}
