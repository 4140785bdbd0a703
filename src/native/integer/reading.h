// Rows that read ids, and rows that write them.
#pragma once

constexpr int64_t kChunk = 24;     // rows whose sums of one block are kept at a time

// Where the parts of `memory` lie. Threads have their own sums, logits and memory of a choice.
struct Plan {
  int64_t H, G, rows;              // H padded; rows of the states: L * B
  int64_t operands, carried, sums, logits, choice, total;  // offsets in bytes
  int64_t sums_each, logits_each, choice_each;
  Plan(const Network& n, int64_t B, int threads)
      : H(padded(n.H)), G(gates_of(n.cell)), rows(n.L * B) {
    auto whole = [](int64_t bytes) { return (bytes + 63) / 64 * 64; };
    sums_each = whole(2 * kChunk * most(G, 1) * kUnits * 4);
    logits_each = whole(most(kChunk, 8) * n.V * 4);
    choice_each = whole((n.V / 16 + 1) * 16 * 5 * 4);
    operands = 0;                                   // (2, L, B, H) of Operand
    carried = operands + whole(2 * rows * H * int64_t(sizeof(Operand)));
    sums = carried + whole(rows * H * 2);           // (threads) of (2, kChunk, G, 32) int32
    logits = sums + threads * sums_each;            // (threads) of (kChunk, V); the first one's is the team's
    choice = logits + threads * logits_each;
    total = choice + threads * choice_each;
  }
};

int64_t memory_of(const Network& n, int64_t B, int threads) { return Plan(n, B, threads).total; }

// How a step is divided between threads: many rows by rows, whose threads never meet; few rows by blocks of units, where
// the weights are so many that reading them takes longer than meeting once a layer.
struct Division {
  bool by_rows;
  int threads;
};
inline Division division_of(const Rows& r) {
  const Network& n = *r.network;
  if (r.B >= 8) return {true, int(least(r.threads, (r.B + kRows - 1) / kRows))};
  int64_t weights = (2 * n.L - 1) * gates_of(n.cell) * n.H * n.H + n.V * n.H;
  return {false, weights * r.B > (1 << 18) ? r.threads : 1};
}
inline int64_t row_unit(const Rows& r, int threads) { return r.B >= 2 * kRows * threads ? kRows : 1; }

// A thread's part of all steps: rows b0 .. b0+count-1, and of their blocks those that fall to `team`.
struct Lane {
  const Rows& r;
  const Plan& plan;
  Team team;
  int64_t b0, count;
  int thread;                      // whose memory it uses
  Cubic cubic;
  int parity = 0;                  // which half of the operands holds the states before the step

  char* at(int64_t offset) const { return static_cast<char*>(r.memory) + offset; }
  Operand* operands(int half, int64_t l) const {
    return reinterpret_cast<Operand*>(at(plan.operands)) + ((half * r.network->L + l) * r.B + b0) * plan.H;
  }
  int32_t* sums() const { return reinterpret_cast<int32_t*>(at(plan.sums + thread * plan.sums_each)); }
  float* own_logits() const { return reinterpret_cast<float*>(at(plan.logits + thread * plan.logits_each)); }
  float* choosing() const { return reinterpret_cast<float*>(at(plan.choice + thread * plan.choice_each)); }

  // The states after ids (count).
  void step(const int64_t* ids) {
    const Network& n = *r.network;
    for (int64_t l = 0; l < n.L; ++l) {
      Range mine = share(plan.H / kUnits, 1, team.id, team.n);
      for (int64_t b = 0; b < count; b += kChunk)
        for (int64_t u = mine.begin; u < mine.end; ++u) block(l, u, b, least(kChunk, count - b), ids);
      team.barrier();
    }
    parity = 1 - parity;
  }

  void block(int64_t l, int64_t u, int64_t b, int64_t rows, const int64_t* ids) {
    const Network& n = *r.network;
    const Layer& layer = n.layers[l];
    int64_t H = plan.H, wide = plan.G * kUnits, first = u * wide;
    int32_t *hh = sums(), *ih = hh + kChunk * wide;
    for (int64_t g = 0; g < plan.G; ++g) {
      int64_t column = first + g * kUnits;
      panel(rows, H, operands(parity, l) + b * H, H, layer.hh.packed + column * H,
            layer.hh.start ? layer.hh.start + column : nullptr, hh + g * kUnits, wide);
      if (l)
        panel(rows, H, operands(1 - parity, l - 1) + b * H, H, layer.ih.packed + column * H,
              layer.ih.start ? layer.ih.start + column : nullptr, ih + g * kUnits, wide);
    }
    int16_t* c = r.c ? reinterpret_cast<int16_t*>(at(plan.carried)) + (l * r.B + b0 + b) * H + u * kUnits : nullptr;
    Operand* h = operands(1 - parity, l) + b * H + u * kUnits;
    for (int64_t i = 0; i < rows; ++i)
      pointwise({n.cell, l ? nullptr : n.inputs + ids[b + i] * plan.G * H + first, ih + i * wide, hh + i * wide,
                 l ? layer.ih.scale + first : nullptr, layer.hh.scale + first, l ? layer.bias + first : nullptr,
                 layer.bias_hn ? layer.bias_hn + u * kUnits : nullptr, c ? c + i * H : nullptr, h + i * H},
                cubic);
  }

  // Logits (rows, V) of rows b .. b+rows-1 of the lane, this thread's share of their columns.
  void output(int64_t b, int64_t rows, float* to) const {
    const Network& n = *r.network;
    Range mine = share(blocks_of(n.V), 1, team.id, team.n);
    for (int64_t q = mine.begin; q < mine.end; ++q) {
      int64_t first = q * kUnits, columns = least(kUnits, n.V - first);
      panel(rows, plan.H, operands(parity, n.L - 1) + b * plan.H, plan.H, n.output.packed + first * plan.H,
            n.output.start ? n.output.start + first : nullptr, sums(), kUnits, columns);
      for (int64_t i = 0; i < rows; ++i) {
        alignas(64) float row[kUnits];
        for (int64_t j = 0; j < columns; j += kColumns)
          store_logits(row + j, load_sum(sums() + i * kUnits + j), n.output.scale + first + j, n.output_bias + first + j);
        memcpy(to + i * n.V + first, row, 4 * size_t(columns));
      }
    }
  }
};

// The states from the caller's arrays to where and how the kernel has them, and back.
inline void take_states(const Rows& r, const Plan& plan) {
  const Network& n = *r.network;
  Operand* h = reinterpret_cast<Operand*>(static_cast<char*>(r.memory) + plan.operands);
  int16_t* c = reinterpret_cast<int16_t*>(static_cast<char*>(r.memory) + plan.carried);
  for (int64_t i = 0; i < plan.rows; ++i) {
    const int8_t* from = r.h + i * n.H;
    Operand* to = h + i * plan.H;
    for (int64_t j = 0; j < n.H; ++j) to[j] = Operand(from[j] + kOffset);
    for (int64_t j = n.H; j < plan.H; ++j) to[j] = Operand(kOffset);
    int64_t carried = r.c ? n.H : 0;
    if (r.c) memcpy(c + i * plan.H, r.c + i * n.H, size_t(carried) * 2);
    memset(c + i * plan.H + carried, 0, size_t(plan.H - carried) * 2);
  }
}
inline void give_states(const Rows& r, const Plan& plan, int parity) {
  const Network& n = *r.network;
  const Operand* h = reinterpret_cast<const Operand*>(static_cast<char*>(r.memory) + plan.operands) + parity * plan.rows * plan.H;
  const int16_t* c = reinterpret_cast<const int16_t*>(static_cast<char*>(r.memory) + plan.carried);
  for (int64_t i = 0; i < plan.rows; ++i) {
    const Operand* from = h + i * plan.H;
    int8_t* to = r.h + i * n.H;
    for (int64_t j = 0; j < n.H; ++j) to[j] = int8_t(from[j] - kOffset);
    if (r.c) memcpy(r.c + i * n.H, c + i * plan.H, size_t(n.H) * 2);
  }
}

// body(lane) on every thread that has rows, between taking the states and giving them back `steps` later.
template <class F>
inline void for_lanes(const Rows& r, int64_t steps, F&& body) {
  Plan plan(*r.network, r.B, r.threads);
  Division division = division_of(r);
  take_states(r, plan);
  parallel(division.threads, [&](const Team& team) {
    Cubic cubic = load_cubic(kSigmoid);
    if (!division.by_rows) {
      Lane lane{r, plan, team, 0, r.B, team.id, cubic};
      return body(lane);
    }
    Range mine = share(r.B, row_unit(r, team.n), team.id, team.n);
    if (mine.begin == mine.end) return;
    Lane lane{r, plan, {0, 1}, mine.begin, mine.end - mine.begin, team.id, cubic};
    body(lane);
  });
  give_states(r, plan, int(steps % 2));
}

void read(const Rows& r, int64_t T, const int64_t* ids, float* logits, bool all, const int64_t* targets, double* to) {
  int64_t V = r.network->V;
  for_lanes(r, T, [&](Lane& lane) {
    for (int64_t t = 0; t < T; ++t) {
      int64_t row = t * r.B + lane.b0;
      lane.step(ids + row);
      float* keep = logits && all ? logits + row * V : logits && t == T - 1 ? logits + lane.b0 * V : nullptr;
      if (!keep && !to) continue;
      for (int64_t b = 0; b < lane.count; b += kChunk) {
        int64_t rows = least(kChunk, lane.count - b);
        // A team's logits lie with its first thread, which has room for the few rows that a team reads.
        float* x = keep ? keep + b * V : lane.team.n > 1 ? lane.own_logits() - lane.thread * lane.plan.logits_each / 4 : lane.own_logits();
        lane.output(b, rows, x);
        if (!to) continue;
        lane.team.barrier();
        for (int64_t i = lane.team.id; i < rows; i += lane.team.n)
          to[row + b + i] = nats_of(x + i * V, V, targets[row + b + i]);
      }
    }
  });
}

bool generate(const Rows& r, int64_t steps, const Choice& c, float* logits, int64_t* ids) {
  int64_t V = r.network->V;
  int wrong = 0;
  for_lanes(r, steps, [&](Lane& lane) {
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t b = lane.b0; b < lane.b0 + lane.count && lane.team.id == 0; ++b) {
        int64_t at = t * r.B + b;
        uint8_t* seen = c.seen ? c.seen + b * V : nullptr;
        int64_t id = r.choose(c, V, logits + b * V, seen, c.draws ? c.draws[at] : 0.0, lane.choosing());
        if (id < 0) __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
        ids[at] = most(0, id);
        if (seen) seen[ids[at]] = 1;
      }
      lane.team.barrier();
      lane.step(ids + t * r.B + lane.b0);
      for (int64_t b = 0; b < lane.count; b += kChunk)
        lane.output(b, least(kChunk, lane.count - b), logits + (lane.b0 + b) * V);
      lane.team.barrier();
    }
  });
  return !wrong;
}
