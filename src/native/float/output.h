// The dense output alone.
#pragma once

void linear(const Linear& l) {
  Region region(product(l.rows, l.K, l.N) > (1 << 16) ? get_threads() : 1);
  Shared packed_w = region.shared(packed_size(l.N, l.K));
  region.run([&](const Team& team) {
    float* packed = team[packed_w];
    pack_transposed(l.w, l.N, l.K, l.K, packed, share(panels(l.N), 1, team.id, team.n));
    team.barrier();
    Range mine = share(l.rows, row_unit(l.rows, team.n), team.id, team.n);
    for (int64_t r = mine.begin; r < mine.end; r += 128)
      multiply({least(128, mine.end - r), l.N, l.K, l.x + r * l.K, l.K, packed, {l.b, 0}, l.y + r * l.N, l.N});
  });
}

void linear_backward(const LinearBackward& l) {
  int64_t rows = l.T * l.B;
  Region region(get_threads());
  Shared packed_w = region.shared(l.d_x ? packed_size(l.K, l.N) : 0);
  Packing packing;
  if (l.d_w) packing.fit(l.N, l.K, region.n());
  packing.reserve(region);
  region.run([&](const Team& team) {
    float* packed = team[packed_w];
    if (l.d_x) pack_plain(l.w, l.K, l.N, packed, share(panels(l.K), 1, team.id, team.n));
    team.barrier();
    if (l.d_x) {
      Range mine = share(rows, row_unit(rows, team.n), team.id, team.n);
      for (int64_t r = mine.begin; r < mine.end; r += 128)
        multiply({least(128, mine.end - r), l.K, l.N, l.d_y + r * l.N, l.N, packed, {}, l.d_x + r * l.K, l.K});
    }
    Rows d{l.d_y, l.N, l.T, l.B};
    if (l.d_w) outer(team, packing, l.N, l.K, d, {l.x, l.K, l.T, l.B}, l.d_w, l.K, l.accumulate);
    if (l.d_b) sum_rows(d, share(l.N, 16, team.id, team.n), l.d_b, l.accumulate);
  });
}
