// The look-up of token ids in an embedding, and its gradient. Forward, rows are copied: nothing is rounded.
#pragma once

void embed(const Embed& e) {
  int64_t rows = e.T * e.B;
  parallel(product(rows, e.E) > (1 << 16) ? get_threads() : 1, [&](const Team& team) {
    Range mine = share(rows, 1, team.id, team.n);
    for (int64_t r = mine.begin; r < mine.end; ++r) copy_floats(e.x + r * e.E, e.weight + e.ids[r] * e.E, e.E);
  });
}

// Columns are divided between the threads; each sums its own in the order of all weight gradients: t falling, b rising.
void embed_backward(const EmbedBackward& e) {
  parallel(product(most(e.V, e.T * e.B), e.E) > (1 << 14) ? get_threads() : 1, [&](const Team& team) {
    Range mine = share(e.E, 16, team.id, team.n);
    int64_t width = mine.end - mine.begin;
    if (width == 0) return;
    for (int64_t v = 0; v < e.V && !e.accumulate; ++v)
      for (int64_t j = mine.begin; j < mine.end; ++j) e.d_weight[v * e.E + j] = 0.0f;
    for (int64_t t = e.T - 1; t >= 0; --t)
      for (int64_t b = 0; b < e.B; ++b) {
        int64_t r = t * e.B + b;
        float* to = e.d_weight + e.ids[r] * e.E + mine.begin;
        const float* from = e.d_x + r * e.E + mine.begin;
        for (int64_t j = 0; j < width; j += 16)
          store_n(to + j, add(load_n(to + j, width - j), load_n(from + j, width - j)), width - j);
      }
  });
}
