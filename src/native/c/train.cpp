// A model that is trained step by step: the part of elman.h that has weights to change.
#include "train.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "../team/environment.h"
#include "container.h"
#include "elman.h"
#include "error.h"
#include "philox.h"

using namespace elman;

struct elman_trainer {
  c::Container of;                         // its header and its weights
  Model model;
  Workspace memory;
  std::vector<std::vector<float>> m, v;    // Adam's averages of every weight, from the first step that needs them on
  std::vector<std::vector<float>> average; // of every weight; empty: none is kept
  std::vector<float> h, c;                 // (L, rows, H)
  int64_t rows = 0, steps = 0;
  uint64_t masked = 0;                     // words of dropout's stream that are used
};

namespace {

using c::fail;

constexpr int64_t kMost = 65536, kVocabulary = 1 << 24, kLayers = 1 << 10, kWeights = int64_t(1) << 31;

std::vector<std::vector<float>> zeros_like(const Model& model) {
  std::vector<std::vector<float>> all;
  for (int64_t size : model.sizes()) all.emplace_back(static_cast<size_t>(size), 0.0f);
  return all;
}
std::vector<float*> places(std::vector<std::vector<float>>& all) {
  std::vector<float*> at;
  for (std::vector<float>& each : all) at.push_back(each.data());
  return at;
}

bool share(double x) { return x >= 0.0 && x < 1.0; }
bool amount(double x) { return x >= 0.0 && std::isfinite(x); }

int check(const elman_trainer* t, int64_t T, int64_t B, const int64_t* ids, const int64_t* targets, bool fresh, const elman_update* how) {
  if (!t || !ids || !targets || !how) return fail("a trainer, ids, targets or an update are missing");
  if (T < 1 || B < 1 || product(T, B, t->model.V) > kWeights || product(T, B, 4 * t->model.H) > kWeights)
    return fail("T and B must be at least 1, and a step's arrays below 2^31 elements");
  if (!fresh && B > t->rows) return fail("more rows than the step before had: their states are not known; begin with fresh");
  if (how->optimizer < ELMAN_SGD || how->optimizer > ELMAN_MUON) return fail("optimizer must be in 0..2");
  if (!amount(how->lr) || !amount(how->clip) || !amount(how->weight_decay)) return fail("lr, clip and weight_decay must be numbers of at least 0");
  for (double x : {how->average, how->dropout, how->hidden_dropout, how->output_dropout, how->weight_dropout})
    if (!share(x)) return fail("average and what is dropped must be shares, in 0..1 and below 1");
  if (int failed = c::check_ids(ids, T * B, 0, t->model.V, "token ids")) return failed;
  return c::check_ids(targets, T * B, -1, t->model.V, "targets");
}

// The carried state of B rows: zeros, or the first rows of what the step before left.
void begin(elman_trainer& t, int64_t B, bool fresh) {
  const Model& model = t.model;
  auto fill = [&](std::vector<float>& part, bool there) {
    std::vector<float> next(there ? size_t(model.L * B * model.H) : 0, 0.0f);
    for (int64_t l = 0; there && !fresh && l < model.L; ++l)
      std::memcpy(next.data() + l * B * model.H, part.data() + l * t.rows * model.H, size_t(B * model.H) * 4);
    part = std::move(next);
  };
  if (!fresh && B == t.rows) return;
  fill(t.h, true), fill(t.c, model.cell == LSTM);
  t.rows = B;
}

// Words of dropout's stream that a step uses.
uint64_t words(const Model& model, int64_t T, int64_t B, const Dropout& drops) {
  int64_t row = B * model.H, count = 0;
  if (drops.p > 0.0) count += (model.L - 1) * T * row;
  if (drops.hidden > 0.0) count += (model.L - 1) * row;
  if (drops.output > 0.0) count += row;
  if (drops.weights > 0.0) count += model.L * gates_of(model.cell) * model.H * model.H;
  return uint64_t(count);
}

// What the step of number t.steps + 1 does to the weights; the averages are made by the first that needs them.
Update update_of(elman_trainer& t, const elman_update& how) {
  int64_t step = t.steps + 1, count = int64_t(t.of.weights.size());
  Update update{how.optimizer != ELMAN_SGD, how.lr, how.optimizer == ELMAN_SGD ? 0.0 : how.weight_decay, how.clip, 0.9, 0.999, 1e-8, step, {}, {}, 0.95, {}, {}, 0.0};
  if (update.adam) {
    if (t.m.empty()) t.m = zeros_like(t.model), t.v = zeros_like(t.model);
    update.m = places(t.m), update.v = places(t.v);
  }
  if (how.optimizer == ELMAN_MUON)
    for (int64_t i = 0; i < count; ++i) update.muon.push_back(c::between_units(t.model, i));
  if (how.average > 0.0) {
    if (t.average.empty()) t.average = t.of.weights;
    update.average = places(t.average);
    // The first weights are soon forgotten; later ones for the share that was asked for.
    update.average_keep = std::fmin(how.average, (1.0 + double(step)) / (10.0 + double(step)));
  }
  return update;
}

}  // namespace

elman_trainer* elman_trainer_new(const elman_shape* shape) {
  if (!shape) return fail("a shape is missing"), nullptr;
  if (shape->cell < ELMAN_RNN_RELU || shape->cell > ELMAN_LSTM) return fail("cell must be in 0..3"), nullptr;
  if (shape->layers < 1 || shape->layers > kLayers || shape->hidden < 1 || shape->hidden > kMost || shape->vocab < 1 ||
      shape->vocab > kVocabulary || shape->embedding < 0 || shape->embedding > kMost)
    return fail("a size of the shape is out of range"), nullptr;
  if (std::string wrong = refused_isa(); !wrong.empty()) return fail(wrong), nullptr;
  auto t = std::make_unique<elman_trainer>();
  t->of.header = {1, shape->cell, shape->layers, shape->hidden, shape->vocab, shape->embedding, 32, 3, 0, 0, 0, 0, 0, {0, 0, 0}};
  int64_t all = 0;
  for (int64_t size : t->of.model().sizes())
    if ((all += size) > kWeights) return fail("the model would have more than 2^31 weights"), nullptr;
  t->of.weights = zeros_like(t->of.model());
  t->model = t->of.model();
  return t.release();
}
void elman_trainer_free(elman_trainer* trainer) { delete trainer; }

int elman_initialise(elman_trainer* trainer, uint64_t seed, double std) {
  if (!trainer || !amount(std)) return fail("a trainer is missing, or std is below 0");
  c::initialise(trainer->model, seed, std);
  return 0;
}
float* elman_trainer_weight(elman_trainer* trainer, int64_t index, int64_t* size) {
  if (!trainer || !size || index < 0) return fail("a trainer or a size is missing, or the index is below 0"), nullptr;
  if (index >= int64_t(trainer->of.weights.size())) return fail("there are no weights of this number"), nullptr;
  std::vector<float>& weights = trainer->of.weights[size_t(index)];
  *size = int64_t(weights.size());
  return weights.data();
}

int elman_train_step(elman_trainer* trainer, int64_t T, int64_t B, const int64_t* ids, const int64_t* targets, int32_t fresh,
                     const elman_update* how, double* loss, double* norm) {
  if (int failed = check(trainer, T, B, ids, targets, fresh, how)) return failed;
  elman_trainer& t = *trainer;
  FloatEnvironment environment;
  begin(t, B, fresh);
  Dropout drops{how->dropout, how->seed, t.masked, how->hidden_dropout, how->output_dropout, how->weight_dropout};
  Batch batch{T, B, ids, targets, t.h.data(), t.c.empty() ? nullptr : t.c.data()};
  StepResult result = train_step(t.model, t.memory, batch, drops, update_of(t, *how));
  if (loss) *loss = result.loss;
  if (norm) *norm = result.norm;
  if (!std::isfinite(result.loss) || !std::isfinite(result.norm))
    return fail("training diverged: the loss or the gradient is not finite; use a lower lr, or clip more");
  ++t.steps, t.masked += words(t.model, T, B, drops);
  return 0;
}

int elman_trainer_swap(elman_trainer* trainer) {
  if (!trainer) return fail("a trainer is missing");
  for (size_t i = 0; i < trainer->average.size(); ++i)  // in place, where `model` points
    std::swap_ranges(trainer->average[i].begin(), trainer->average[i].end(), trainer->of.weights[i].begin());
  return 0;
}

int64_t elman_trainer_container(elman_trainer* trainer, const elman_facts* facts, const uint32_t* token_at, const char* token_bytes,
                                void* to, int64_t room) {
  if (!trainer || !facts || !token_at) return fail("a trainer, facts or tokens are missing"), -1;
  c::Container& of = trainer->of;
  auto V = size_t(trainer->model.V);
  for (size_t v = 0; v < V; ++v)
    if (token_at[v] > token_at[v + 1] || token_at[0] || token_at[V] > INT32_MAX) return fail("token_at must begin with 0 and not fall"), -1;
  if (!token_bytes && token_at[V]) return fail("the tokens' bytes are missing"), -1;
  if (facts->start < 0 || facts->start >= of.header.V || facts->tokens < 0 || facts->tokens > ELMAN_SUBWORDS || (facts->normalisation & ~1) ||
      (facts->records & ~1))
    return fail("start, tokens, normalisation or records is out of range"), -1;
  of.header.start = facts->start, of.header.tokens = facts->tokens, of.header.normalisation = facts->normalisation;
  of.header.records = facts->records, of.header.token_bytes = int32_t(token_at[V]);
  of.token_at.assign(token_at, token_at + V + 1);
  of.token_bytes.assign(token_bytes, token_bytes + token_at[V]);
  int64_t size = c::write(of, nullptr, 0);
  return to && size <= room ? c::write(of, static_cast<uint8_t*>(to), size) : size;
}

uint64_t elman_random(uint64_t seed, uint64_t use, uint64_t index) { return c::random_word(seed, use, index); }
