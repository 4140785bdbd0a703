// The recurrent layers, forward and backward. Batch rows are divided between the threads, which then run the whole
// sequence without meeting; the weight gradients come after, divided by columns.
//
// A cell differs from another in `gates_of`, in its step and in its step backward (cells.h), and in nothing else.
#pragma once

// How n threads divide B rows: in whole tiles where the batch has them.
inline int64_t row_unit(int64_t B, int n) { return B >= 8 * n ? 8 : B >= 4 * n ? 4 : 1; }
inline int row_threads(int64_t B) { return int(most(1, least(get_threads(), B))); }

// The bias that a pre-activation starts from: b_ih + b_hh, rounded once; b_ih alone for the GRU's n, whose b_hh belongs
// to the product that the reset gate scales.
inline float start_bias(int cell, int64_t H, const float* b_ih, const float* b_hh, int64_t j) {
  if (!b_ih) return 0.0f;
  return cell == GRU && j >= 2 * H ? b_ih[j] : b_ih[j] + b_hh[j];
}

// to (count, N): the pre-activation that each token id gives, column ids[r] of W_ih (N, I) plus the bias. ids null: r.
inline void build_table(int cell, int64_t I, int64_t H, const float* w_ih, const float* b_ih, const float* b_hh,
                        const int64_t* ids, int64_t count, float* to, Range columns) {
  int64_t N = gates_of(cell) * H;
  for (int64_t j0 = columns.begin; j0 < columns.end; j0 += 16) {
    int64_t j1 = least(j0 + 16, columns.end);
    float bias[16];
    for (int64_t j = j0; j < j1; ++j) bias[j - j0] = start_bias(cell, H, b_ih, b_hh, j);
    for (int64_t r = 0; r < count; ++r)
      for (int64_t j = j0; j < j1; ++j) to[r * N + j] = bias[j - j0] + w_ih[j * I + (ids ? ids[r] : r)];
  }
}

inline void pack_hh(int cell, int64_t H, const float* w_hh, float* packed, int id, int n) {
  int64_t N = cell == GRU ? 2 * H : gates_of(cell) * H;
  pack_transposed(w_hh, N, H, H, packed, share(panels(N), 1, id, n));
  if (cell == GRU) pack_transposed(w_hh + 2 * H * H, H, H, H, packed + packed_size(2 * H, H), share(panels(H), 1, id, n));
}

inline void step_products(const Step& s, const Team& team) {
  int64_t H = s.H, N = s.cell == GRU ? 2 * H : gates_of(s.cell) * H;
  Product gates{s.rows, N, H, s.h, H, s.packed, s.start, s.gates, saved_of(s.cell) ? saved_of(s.cell) * H : H};
  gates.last_first = s.last_first && outgrow_the_cache(gates_of(s.cell) * H * H * 4 / team.n);
  if (s.cell != GRU) return multiply(gates, team);
  Product candidate{s.rows, H, H, s.h, H, s.packed + packed_size(2 * H, H), {s.b_hn, 0}, s.gates + 3 * H, 4 * H};
  candidate.last_first = gates.last_first;
  multiply(gates.last_first ? candidate : gates, team);
  multiply(gates.last_first ? gates : candidate, team);
}

inline void copy_floats(float* to, const float* from, int64_t n) {
  if (n) __builtin_memcpy(to, from, size_t(n) * 4);
}

void forward(const Forward& f) {
  int64_t T = f.T, B = f.B, H = f.H, N = product(gates_of(f.cell), H), S = product(saved_of(f.cell), H);
  if (T == 0 || B == 0 || H == 0) {
    copy_floats(f.hn, f.h0, B * H);
    if (f.cell == LSTM) copy_floats(f.cn, f.c0, B * H);
    return;
  }
  // Token input: a table of the pre-activation of each id, or of each position where ids outnumber positions.
  bool by_position = f.ids && f.I > T * B;
  int64_t entries = by_position ? T * B : f.I;
  Region region(row_threads(B));
  int64_t unit = row_unit(B, region.n()), most_rows = largest_share(B, unit, region.n());
  // Real input: a few steps' pre-activations at a time, so W_ih is read once for all of them.
  int64_t ahead = f.ids ? 0 : most(1, least(T, (int64_t(1) << 18) / product(most_rows, N)));
  Shared packed_hh = region.shared(packed_hh_size(f.cell, H));
  Shared packed_x = region.shared(f.ids ? 0 : packed_size(N, f.I));
  Shared starts = region.shared(f.ids ? product(entries, N) : N);  // the table, or the bias alone
  Each pre_of = region.each(product(ahead, most_rows, N));
  Each gates_of_step = region.each(f.gates ? 0 : product(most_rows, S));
  const float* b_hn = f.cell == GRU && f.b_hh ? f.b_hh + 2 * H : nullptr;
  region.run([&](const Team& team) {
    float *packed = team[packed_hh], *packed_ih = team[packed_x], *table = team[starts], *pre = team[pre_of];
    pack_hh(f.cell, H, f.w_hh, packed, team.id, team.n);
    Range columns = share(N, 16, team.id, team.n);
    if (f.ids) {
      build_table(f.cell, f.I, H, f.w_ih, f.b_ih, f.b_hh, by_position ? f.ids : nullptr, entries, table, columns);
    } else {
      pack_transposed(f.w_ih, N, f.I, f.I, packed_ih, share(panels(N), 1, team.id, team.n));
      for (int64_t j = columns.begin; j < columns.end; ++j) table[j] = start_bias(f.cell, H, f.b_ih, f.b_hh, j);
    }
    team.barrier();
    Range mine = share(B, unit, team.id, team.n);
    int64_t b0 = mine.begin, rows = mine.end - b0;
    if (rows == 0) return;
    for (int64_t t = 0; t < T; ++t) {
      Start start;
      if (by_position) {
        start = {table + (t * B + b0) * N, N};
      } else if (f.ids) {
        start = {table, N, f.ids + t * B + b0};
      } else {
        if (t % ahead == 0)
          multiply({rows, N, f.I, f.x + (t * B + b0) * f.I, f.I, packed_ih, {table, 0}, pre, N, least(ahead, T - t),
                    B * f.I, rows * N});
        start = {pre + t % ahead * rows * N, N};
      }
      const float* c = nullptr;
      float* c_out = nullptr;
      if (f.cell == LSTM) {
        c = t == 0 ? f.c0 + b0 * H : f.cells ? f.cells + ((t - 1) * B + b0) * H : f.cn + b0 * H;
        c_out = f.cells ? f.cells + (t * B + b0) * H : f.cn + b0 * H;
      }
      float* out = f.out + (t * B + b0) * H;
      float* gates = !S ? out : f.gates ? f.gates + (t * B + b0) * S : team[gates_of_step];
      Step step{f.cell, rows, H, packed, b_hn, start, t ? out - B * H : f.h0 + b0 * H, c, out, c_out, gates, t % 2 == 1};
      step_products(step, {0, 1});
      step_pointwise(step, {0, H});
    }
    copy_floats(f.hn + b0 * H, f.out + ((T - 1) * B + b0) * H, rows * H);
    if (f.cell == LSTM && f.cells) copy_floats(f.cn + b0 * H, f.cells + ((T - 1) * B + b0) * H, rows * H);
  });
}

// The sums of all rows of d, columns first .. last-1, added to what is there if `accumulate`.
inline void sum_rows(Rows d, Range columns, float* to, bool accumulate) {
  for (int64_t j = columns.begin; j < columns.end; j += 64) {
    int64_t width = least(64, columns.end - j);
    v16 sum[4];
    for (int v = 0; v < 4; ++v)
      sum[v] = accumulate && width > 16 * v ? load_n(to + j + 16 * v, width - 16 * v) : set1(0.0f);
    for (int64_t r = 0; r < d.T * d.B; ++r) {
      const float* from = d.row(r) + j;
      if (width == 64)
        for (int v = 0; v < 4; ++v) sum[v] = add(sum[v], load(from + 16 * v));
      else
        for (int v = 0; 16 * v < width; ++v) sum[v] = add(sum[v], load_n(from + 16 * v, width - 16 * v));
    }
    for (int v = 0; 16 * v < width; ++v) store_n(to + j + 16 * v, sum[v], width - 16 * v);
  }
}

// The gradient of W_ih (N, I) under token input: each row of d is added to the column of its id. Columns `columns` of d
// are these rows of the gradient; table (I, N) is scratch.
inline void scatter(const Backward& k, Rows d, Range columns, float* table, int64_t N) {
  int64_t width = columns.end - columns.begin;
  for (int64_t v = 0; v < k.I; ++v)
    for (int64_t j = columns.begin; j < columns.end; ++j)
      table[v * N + j] = k.accumulate ? k.d_w_ih[j * k.I + v] : 0.0f;
  for (int64_t r = 0; r < d.T * d.B; ++r) {
    int64_t t = d.T - 1 - r / d.B, b = r % d.B;
    float* to = table + k.ids[t * d.B + b] * N + columns.begin;
    const float* from = d.row(r) + columns.begin;
    for (int64_t j = 0; j < width; j += 16) {
      int64_t n = width - j;
      store_n(to + j, add(load_n(to + j, n), load_n(from + j, n)), n);
    }
  }
  for (int64_t j0 = columns.begin; j0 < columns.end; j0 += 16)
    for (int64_t v = 0; v < k.I; ++v)
      for (int64_t j = j0; j < least(j0 + 16, columns.end); ++j)
        k.d_w_ih[j * k.I + v] = table[v * N + j];
}

void backward(const Backward& k) {
  int64_t T = k.T, B = k.B, H = k.H, N = product(gates_of(k.cell), H), S = product(saved_of(k.cell), H);
  int64_t D = k.cell == GRU ? product(4, H) : N;  // floats of d per row
  int64_t plain = k.cell == GRU ? 2 * H : N;      // the gates whose two sides have the same gradient
  Region region(get_threads());
  int64_t unit = row_unit(B, region.n()), most_rows = largest_share(B, unit, region.n());
  Shared packed_hh = region.shared(packed_size(H, N));
  Shared packed_x = region.shared(k.d_x ? packed_size(k.I, N) : 0);
  Shared gradients = region.shared(product(T, B, D));
  Shared columns_of_ids = region.shared(k.ids && k.d_w_ih ? product(k.I, N) : 0);
  Each carried_h = region.each(product(most_rows, H));
  Each carried_c = region.each(k.cell == LSTM ? product(most_rows, H) : 0);
  Packing packing;
  if (k.d_w_hh) packing.fit(N, H, region.n());
  if (k.d_w_ih && !k.ids) {
    packing.fit(plain, k.I, region.n());
    if (plain < N) packing.fit(H, k.I, region.n());
  }
  packing.reserve(region);
  region.run([&](const Team& team) {
    float *packed = team[packed_hh], *packed_ih = team[packed_x], *d = team[gradients];
    pack_plain(k.w_hh, H, N, packed, share(panels(H), 1, team.id, team.n));
    if (k.d_x) pack_plain(k.w_ih, k.I, N, packed_ih, share(panels(k.I), 1, team.id, team.n));
    team.barrier();
    Range mine = share(B, unit, team.id, team.n);
    int64_t b0 = mine.begin, rows = mine.end - b0;
    if (rows) {
      float *dh = team[carried_h], *dc = k.cell == LSTM ? team[carried_c] : nullptr;
      for (int64_t i = 0; i < rows * H; ++i) dh[i] = k.d_hn ? k.d_hn[b0 * H + i] : 0.0f;
      if (dc)
        for (int64_t i = 0; i < rows * H; ++i) dc[i] = k.d_cn ? k.d_cn[b0 * H + i] : 0.0f;
      for (int64_t t = T - 1; t >= 0; --t) {
        float* step_d = d + (t * B + b0) * D;
        for (int64_t r = 0; r < rows; ++r) {
          int64_t at = (t * B + b0 + r) * H, at_before = at - B * H;
          float* row = dh + r * H;
          if (k.d_out)
            for (int64_t j = 0; j < H; j += 16)
              store_n(row + j, add(load_n(row + j, H - j), load_n(k.d_out + at + j, H - j)), H - j);
          const float* gates = k.gates + (t * B + b0 + r) * S;
          const float* first_c = k.cell == LSTM ? k.c0 + (b0 + r) * H : nullptr;
          if (k.cell == GRU) gru_backward(H, t ? k.out + at_before : k.h0 + (b0 + r) * H, gates, row, step_d + r * D);
          else if (k.cell == LSTM)
            lstm_backward(H, k.cells + at, t ? k.cells + at_before : first_c, gates, row, dc + r * H, step_d + r * D);
          else rnn_backward(k.cell, H, k.out + at, row, step_d + r * D);
        }
        if (!t && !k.d_h0) continue;
        Product before{rows, H, N, step_d, D, packed, {dh, H}, dh, H};
        before.last_first = t % 2 == 1 && outgrow_the_cache(N * H * 4);
        multiply(before);
      }
      if (k.d_h0) copy_floats(k.d_h0 + b0 * H, dh, rows * H);
      if (k.d_c0) copy_floats(k.d_c0 + b0 * H, dc, rows * H);
      if (k.d_x && T) {
        Product p{rows, k.I, N, d + b0 * D, D, packed_ih, {}, k.d_x + b0 * k.I, k.I, T, B * D, B * k.I};
        p.depth = N;
        if (k.cell == GRU) p.K = 2 * H;  // r and z; n follows, behind a gap in d
        multiply(p);
        if (k.cell == GRU) {
          p.K = H, p.a += 3 * H, p.b += 2 * H * kPanel, p.resume = true;
          multiply(p);
        }
      }
    }
    team.barrier();
    Rows inner{d, D, T, B};              // r, z and n behind the reset gate: what multiplied W_hh
    Rows n_gate{d + H, D, T, B};         // column j >= 2H of the gradients of the input's side is column j + H of d
    if (k.d_w_hh) outer(team, packing, N, H, inner, {k.out, H, T, B, k.h0}, k.d_w_hh, H, k.accumulate);
    if (k.d_w_ih && !k.ids) {
      Rows x{k.x, k.I, T, B};
      outer(team, packing, plain, k.I, inner, x, k.d_w_ih, k.I, k.accumulate);
      if (plain < N)
        outer(team, packing, H, k.I, {d + 3 * H, D, T, B}, x, k.d_w_ih + plain * k.I, k.I, k.accumulate);
    }
    const Range both[] = {{0, plain}, {plain, N}};
    for (Range all : both) {
      Range part = share(all.end - all.begin, 16, team.id, team.n);
      Range columns{all.begin + part.begin, all.begin + part.end};
      if (columns.begin == columns.end) continue;
      Rows from = all.begin ? n_gate : inner;
      if (k.d_b_ih) sum_rows(from, columns, k.d_b_ih, k.accumulate);
      if (k.d_b_hh && (all.begin || k.accumulate || !k.d_b_ih)) sum_rows(inner, columns, k.d_b_hh, k.accumulate);
      else if (k.d_b_hh) copy_floats(k.d_b_hh + columns.begin, k.d_b_ih + columns.begin, columns.end - columns.begin);
      if (k.d_w_ih && k.ids) scatter(k, from, columns, team[columns_of_ids], N);
    }
  });
}
