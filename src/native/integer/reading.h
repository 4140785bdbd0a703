// Rows that read ids, and rows that write them.
#pragma once

// body(lane) on every thread that has rows, between taking the states and giving them back `steps` later, taken `together`
// at a time.
template <class F, class Body>
inline void for_lanes(const Rows& r, int64_t steps, int64_t together, Body&& body) {
  Region region(Division(*r.network, r.B, r.threads).threads);
  Plan plan(*r.network, r.B, region.n());  // fewer threads need no more memory
  const Division& division = plan.division;
  together = least(together, plan.ahead);
  auto each = [&](auto&& run) {
    for (int i = 0; i < division.lanes(); ++i) run(Lane<F>(r, plan, {0, 1}, i, division.rows(r.B, i)));
  };
  each([](const Lane<F>& lane) { lane.receive(); });
  region.run([&](const Team& team) {
    Range mine = division.rows(r.B, division.by_rows ? team.id : 0);
    if (mine.begin == mine.end) return;
    Lane<F> lane(r, plan, division.by_rows ? Team{0, 1} : team, team.id, mine);
    body(lane);
  });
  each([&](const Lane<F>& lane) { lane.give(Lane<F>::last_slot(plan, steps, together)); });
}

template <class F>
inline void read_rows(const Rows& r, int64_t T, const int64_t* ids, float* logits, bool all, const int64_t* targets, double* to) {
  int64_t V = r.network->V;
  for_lanes<F>(r, T, kChunk, [&](Lane<F>& lane) {
    int64_t count = lane.count, ahead = lane.plan.ahead;
    // A team's logits lie with its first thread, which has room for the few rows that a team reads.
    float* own = lane.team.n > 1 ? lane.own_logits() - lane.thread * lane.plan.logits_each / 4 : lane.own_logits();
    for (int64_t t = 0; t < T; t += ahead) {
      int64_t steps = least(ahead, T - t), first = t * r.B + lane.b0;
      lane.take(ids + first, steps);
      bool last = logits && !all && t + steps == T;
      if (!to && !(logits && all) && !last) continue;
      // Rows of these steps, step by step; or of the last step alone.
      int64_t skipped = to || all ? 0 : (steps - 1) * count, rows = steps * count;
      const typename F::Operand* top = lane.states(lane.plan.L - 1, lane.before - (steps - 1));
      for (int64_t i = skipped; i < rows; i += kChunk) {
        int64_t n = least(kChunk, rows - i);
        auto place = [&](int64_t row) { return first + row / count * r.B + row % count; };  // among (T, B)
        auto row_of = [&](int64_t j) -> float* {
          if (logits && all) return logits + place(i + j) * V;
          if (last && i + j >= rows - count) return logits + (lane.b0 + i + j - (rows - count)) * V;
          return own + j * V;
        };
        lane.output(top + i * lane.plan.H, n, row_of);
        if (!to) continue;
        lane.team.barrier();
        for (int64_t j = lane.team.id; j < n; j += lane.team.n)
          to[place(i + j)] = nats_of(row_of(j), V, targets[place(i + j)]);
      }
    }
  });
}

template <class F>
inline bool generate_rows(const Rows& r, int64_t steps, const Choice& c, float* logits, int64_t* ids) {
  int64_t V = r.network->V;
  int wrong = 0;
  for_lanes<F>(r, steps, 1, [&](Lane<F>& lane) {
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t b = lane.b0; b < lane.b0 + lane.count && lane.team.id == 0; ++b) {
        int64_t id = choose_row(r.choose, c, t, b, r.B, V, logits + b * V, lane.choosing());
        if (id < 0) __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
        ids[t * r.B + b] = most(0, id);
      }
      lane.team.barrier();
      lane.take(ids + t * r.B + lane.b0, 1);
      for (int64_t b = 0; b < lane.count; b += kChunk)
        lane.output(lane.states(lane.plan.L - 1, lane.before) + b * lane.plan.H, least(kChunk, lane.count - b),
                    [&](int64_t i) { return logits + (lane.b0 + b + i) * V; });
      lane.team.barrier();
    }
  });
  return !wrong;
}

void read(const Rows& r, int64_t T, const int64_t* ids, float* logits, bool all, const int64_t* targets, double* to) {
  return r.network->bits == 4 ? read_rows<Four>(r, T, ids, logits, all, targets, to)
                              : read_rows<Eight>(r, T, ids, logits, all, targets, to);
}
bool generate(const Rows& r, int64_t steps, const Choice& c, float* logits, int64_t* ids) {
  return r.network->bits == 4 ? generate_rows<Four>(r, steps, c, logits, ids) : generate_rows<Eight>(r, steps, c, logits, ids);
}
