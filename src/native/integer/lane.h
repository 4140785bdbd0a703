// A thread's part of reading: rows of states that go through the layers, a few steps at a time.
//
// Where the ids are known, a layer above the first multiplies its inputs of several steps at once, and so does the output:
// one stream waits for its weights, which then come from memory once for all of them. How many steps are taken together
// changes no bit, for sums of integers have no order.
#pragma once

constexpr int64_t kChunk = 24;     // rows whose sums of one block are kept at a time; or rows times steps

// How a step is divided between threads: many rows by rows, whose threads never meet; few rows by blocks of units, where
// the weights are so many that reading them takes longer than meeting once a layer.
struct Division {
  bool by_rows;
  int threads;
  int64_t unit;                    // of the rows that a thread gets
  Division(const Network& n, int64_t B, int most_threads) {
    by_rows = B >= 8;
    int64_t weights = (2 * n.L - 1) * gates_of(n.cell) * n.H * n.H + n.V * n.H;
    threads = by_rows ? int(least(most_threads, (B + kRows - 1) / kRows)) : weights * B > (1 << 18) ? most_threads : 1;
    unit = B >= 2 * kRows * threads ? kRows : 1;
  }
  int lanes() const { return by_rows ? threads : 1; }
  Range rows(int64_t B, int lane) const { return by_rows ? share(B, unit, lane, threads) : Range{0, B}; }
};

// Where the parts of `memory` lie. Threads have their own sums, logits and memory of a choice.
struct Plan {
  Division division;
  int64_t L, H, G, ahead;          // H padded; ahead: steps taken together, at most
  int64_t operands, carried, sums, below, logits, choice, total;  // offsets in bytes
  int64_t sums_each, below_each, logits_each, choice_each;
  Plan(const Network& n, int64_t B, int threads)
      : division(n, B, threads), L(n.L), H(padded(n.H)), G(gates_of(n.cell)) {
    auto whole = [](int64_t bytes) { return (bytes + 63) / 64 * 64; };
    int64_t most_rows = 1;
    for (int i = 0; i < division.lanes(); ++i) most_rows = most(most_rows, division.rows(B, i).end - division.rows(B, i).begin);
    ahead = most(1, kChunk / most_rows);
    int64_t operand = n.bits == 4 ? sizeof(Four::Operand) : sizeof(Eight::Operand), blocks = ahead > 1 && L > 1 ? H / kUnits : 1;
    sums_each = whole(kChunk * G * kUnits * 4);
    below_each = L > 1 ? whole(blocks * kChunk * G * kUnits * 4) : 0;
    logits_each = whole(most(kChunk, 8) * n.V * 4);
    choice_each = whole((n.V / 16 + 1) * 16 * 5 * 4);
    operands = 0;                                   // by lanes: (L, 2 ahead, rows, H)
    carried = operands + whole(2 * ahead * L * B * H * operand);
    sums = carried + whole(L * B * H * 2);          // (threads) of (kChunk, G, 32) int32
    below = sums + threads * sums_each;             // (threads) of (blocks, kChunk, G, 32) int32
    logits = below + threads * below_each;          // (threads) of (kChunk, V); the first one's is the team's
    choice = logits + threads * logits_each;
    total = choice + threads * choice_each;
  }
};

int64_t memory_of(const Network& n, int64_t B, int threads) { return Plan(n, B, threads).total; }

// Rows b0 .. b0+count-1, and of their blocks those that fall to `team`. F: the format of the weights.
template <class F>
struct Lane {
  using Operand = typename F::Operand;
  const Rows& r;
  const Plan& plan;
  Team team;
  int64_t b0, count;
  int thread;                      // whose memory it uses
  Cubic cubic;
  int64_t base = 0, before;        // slots: of the first step of those taken now; of the states before them

  Lane(const Rows& rows, const Plan& p, const Team& t, int id, Range mine)
      : r(rows), plan(p), team(t), b0(mine.begin), count(mine.end - mine.begin), thread(id), cubic(load_cubic(kSigmoid)),
        before(first_slot(p)) {}
  // Steps taken together go to one half of 2 `ahead` slots, while the other still holds those before.
  static int64_t first_slot(const Plan& plan) { return 2 * plan.ahead - 1; }
  static int64_t last_slot(const Plan& plan, int64_t steps, int64_t together) {
    return steps ? (steps - 1) / together % 2 * plan.ahead + (steps - 1) % together : first_slot(plan);
  }

  char* at(int64_t offset) const { return static_cast<char*>(r.memory) + offset; }
  // The states (count, H) of a layer in a slot; those of slots that follow each other do so too.
  Operand* states(int64_t l, int64_t slot) const {
    return reinterpret_cast<Operand*>(at(plan.operands)) + ((b0 * plan.L + l * count) * 2 * plan.ahead + slot * count) * plan.H;
  }
  int16_t* carried(int64_t l) const { return reinterpret_cast<int16_t*>(at(plan.carried)) + (b0 * plan.L + l * count) * plan.H; }
  int32_t* sums() const { return reinterpret_cast<int32_t*>(at(plan.sums + thread * plan.sums_each)); }
  int32_t* below() const { return reinterpret_cast<int32_t*>(at(plan.below + thread * plan.below_each)); }
  float* own_logits() const { return reinterpret_cast<float*>(at(plan.logits + thread * plan.logits_each)); }
  float* choosing() const { return reinterpret_cast<float*>(at(plan.choice + thread * plan.choice_each)); }

  // What the sums of `rows` (at most kChunk) are too large by, where the weights have 4 bits (nibbles.h).
  void too_much(const Operand* x, int64_t rows, int32_t* to) const {
    for (int64_t i = 0; i < rows && F::bits == 4; ++i) {
      int32_t total = 0;
      for (int64_t k = 0; k < plan.H; ++k) total += x[i * plan.H + k];
      to[i] = 8 * total;
    }
  }

  // Columns first .. first+31 of x (rows, H) times a matrix.
  void multiply(const Weights& w, int64_t first, int64_t rows, const Operand* x, const int32_t* less, int32_t* c, int64_t ldc,
                int64_t columns = kUnits) const {
    panel<F>(rows, {plan.H, x, plan.H, w.packed + first * plan.H * F::bits / 8, w.start ? w.start + first : nullptr, less, c, ldc},
             columns);
  }
  void multiply_block(const Weights& w, int64_t u, int64_t rows, const Operand* x, const int32_t* less, int32_t* to) const {
    int64_t wide = plan.G * kUnits;
    for (int64_t g = 0; g < plan.G; ++g) multiply(w, u * wide + g * kUnits, rows, x, less, to + g * kUnits, wide);
  }

  // The states after ids (steps, of B), at most `ahead` of them.
  void take(const int64_t* ids, int64_t steps) {
    for (int64_t l = 0; l < plan.L; ++l) {
      Range mine = share(plan.H / kUnits, 1, team.id, team.n);
      int64_t all = l && plan.ahead > 1 ? steps * count : 0, wide = plan.G * kUnits;  // all: rows multiplied beforehand
      int32_t less[kChunk];
      if (all) {
        const Operand* x = states(l - 1, base);
        too_much(x, all, less);
        for (int64_t u = mine.begin; u < mine.end; ++u)
          multiply_block(r.network->layers[l].ih, u, all, x, less, below() + u * all * wide);
      }
      for (int64_t t = 0; t < steps; ++t) {
        for (int64_t b = 0; b < count; b += kChunk)
          step_rows(l, t, b, least(kChunk, count - b), mine, ids + t * r.B, all);
        team.barrier();
      }
    }
    before = base + steps - 1, base = plan.ahead - base;
  }

  // One step of one layer, of rows b .. b+rows-1 of the lane.
  void step_rows(int64_t l, int64_t t, int64_t b, int64_t rows, Range mine, const int64_t* ids, int64_t all) {
    const Network& n = *r.network;
    const Layer& layer = n.layers[l];
    int64_t H = plan.H, wide = plan.G * kUnits;
    const Operand *h = states(l, t ? base + t - 1 : before) + b * H, *x = l ? states(l - 1, base + t) + b * H : nullptr;
    Operand* to = states(l, base + t) + b * H;
    int32_t less[kChunk], less_x[kChunk], *hh = sums();
    too_much(h, rows, less);
    if (l && !all) too_much(x, rows, less_x);
    const bool last_first = (base > 0) != (t % 2 == 1) && outgrow_the_cache((mine.end - mine.begin) * wide * H * F::bits / 8);
    const int64_t next = last_first ? -1 : 1;
    for (int64_t u = last_first ? mine.end - 1 : mine.begin, left = mine.end - mine.begin; left > 0; u += next, --left) {
      int64_t first = u * wide;
      const int32_t* ih = all ? below() + (u * all + t * count) * wide : below();
      multiply_block(layer.hh, u, rows, h, less, hh);
      if (l && !all) multiply_block(layer.ih, u, rows, x, less_x, below());
      for (int64_t i = 0; i < rows; ++i)
        pointwise(Block<Operand>{n.cell, l ? nullptr : n.inputs + ids[b + i] * plan.G * H + first, ih + i * wide, hh + i * wide,
                                 l ? layer.ih.scale + first : nullptr, layer.hh.scale + first,
                                 l ? layer.bias + first : nullptr, layer.bias_hn ? layer.bias_hn + u * kUnits : nullptr,
                                 r.c ? carried(l) + (b + i) * H + u * kUnits : nullptr, to + i * H + u * kUnits},
                  cubic);
    }
  }

  // Logits of `rows` (at most kChunk) states x (rows, H), this thread's share of their columns; row i to to(i).
  template <class To>
  void output(const Operand* x, int64_t rows, To&& to) const {
    const Network& n = *r.network;
    Range mine = share(blocks_of(n.V), 1, team.id, team.n);
    int32_t less[kChunk];
    too_much(x, rows, less);
    for (int64_t q = mine.begin; q < mine.end; ++q) {
      int64_t first = q * kUnits, columns = least(kUnits, n.V - first);
      multiply(n.output, first, rows, x, less, sums(), kUnits, columns);
      for (int64_t i = 0; i < rows; ++i) {
        alignas(64) float row[kUnits];
        for (int64_t j = 0; j < columns; j += kColumns)
          store_logits(row + j, load_sum(sums() + i * kUnits + j), n.output.scale + first + j, n.output_bias + first + j);
        memcpy(to(i) + first, row, 4 * size_t(columns));
      }
    }
  }

  // The rows' states from the caller's arrays to where and how the kernel has them, and back from a slot.
  void receive() const {
    const Network& n = *r.network;
    for (int64_t l = 0; l < n.L; ++l)
      for (int64_t i = 0; i < count; ++i) {
        int64_t row = l * r.B + b0 + i, H = n.H, kept = r.c ? H : 0;
        const int8_t* __restrict from = r.h + row * H;
        Operand* __restrict to = states(l, before) + i * plan.H;  // bytes alias everything: without this, one at a time
        for (int64_t j = 0; j < H; ++j) to[j] = Operand(from[j] + F::offset);
        for (int64_t j = H, end = plan.H; j < end; ++j) to[j] = Operand(F::offset);
        int16_t* c = carried(l) + i * plan.H;
        if (r.c) memcpy(c, r.c + row * H, size_t(kept) * 2);
        memset(c + kept, 0, size_t(plan.H - kept) * 2);
      }
  }
  void give(int64_t slot) const {
    const Network& n = *r.network;
    for (int64_t l = 0; l < n.L; ++l)
      for (int64_t i = 0; i < count; ++i) {
        int64_t row = l * r.B + b0 + i, H = n.H;
        const Operand* __restrict from = states(l, slot) + i * plan.H;
        int8_t* __restrict to = r.h + row * H;
        for (int64_t j = 0; j < H; ++j) to[j] = int8_t(from[j] - F::offset);
        if (r.c) memcpy(r.c + row * H, carried(l) + i * plan.H, size_t(H) * 2);
      }
  }
};
