// What a bit asks of all contexts at once, and of the mixers: in plain C++, which defines it. stages_avx2.h has it in vectors.
//
// look: the slots' states -> their maps' places, and the contexts' inputs. learn: what the bit teaches slots and maps.
#pragma once
#include <cstdint>

#include "memory.h"

namespace elman::coding {

struct Plain {
  static constexpr int kLanes = 0;         // no vectors
  struct Half {};
  struct Found {};
};

namespace plain {

// buckets (contexts); node: of the half byte; place (contexts) in memory.maps; x: a mixer's inputs.
inline void look(const Memory& m, const Tables& t, const Bucket* const* buckets, int node, uint32_t* place, int32_t* x) {
  for (int i = 0; i < m.level.contexts; ++i) {
    uint16_t slot = buckets[i]->slots[node - 1];
    place[i] = uint32_t(i) * 1024 + slot_state(slot);
    uint32_t p = m.maps[place[i]].p16();
    bool known = slot_count(slot) != 0;
    x[i] = known ? stretch(t, p) : 0;
    x[m.lanes + i] = known ? (int32_t(p) - 32768) / 32 : 0;
  }
}

inline void learn(Memory& m, Bucket* const* buckets, int node, const uint32_t* place, int bit) {
  for (int i = 0; i < m.level.contexts; ++i) {
    uint16_t& slot = buckets[i]->slots[node - 1];
    if (slot_count(slot)) m.maps[place[i]].see(bit);
    slot = slot_after(slot, bit);
  }
}

// st (4): what three weight sets say, and 0.
inline void dots(const int32_t* const* w, const int32_t* x, int inputs, int32_t* st) {
  for (int s = 0; s < 3; ++s) st[s] = clamp(dot(w[s], x, inputs), -kStretchLimit, kStretchLimit);
}

inline void others(int32_t* x, int32_t network, int32_t network_linear, int32_t match, int32_t match_linear, int32_t refined) {
  x[NETWORK] = network, x[NETWORK_LINEAR] = network_linear, x[MATCH] = match, x[MATCH_LINEAR] = match_linear;
  x[CONSTANT] = 256, x[REFINED] = refined;
}

}  // namespace plain
}  // namespace elman::coding
