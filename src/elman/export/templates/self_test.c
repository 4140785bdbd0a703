
/* ---- the golden text, which Elman wrote with seed 1, and the CRC-32 of its logits ---- */

static const uint16_t golden[@COUNT@] = {@GOLDEN@};

int MODEL_self_test(void) {
  MODEL_state s;
  float logits[V];
  uint32_t crc = 0xffffffffu, bits;
  MODEL_begin(&s);
  for (int i = 0; i < @COUNT@; ++i) {
    MODEL_logits(&s, logits);
    for (int j = 0; j < V; ++j) {
      memcpy(&bits, logits + j, 4);
      for (int k = 0; k < 32; ++k, bits >>= 1) crc = crc >> 1 ^ (((crc ^ bits) & 1) ? 0xEDB88320u : 0);
    }
    if (MODEL_choose(logits, 1.0f, MODEL_draw(1, 0, (uint32_t)i)) != golden[i]) return 1 + i;
    MODEL_read(&s, golden[i]);
  }
  return ~crc == @CRC@u ? 0 : @COUNT@ + 1;
}
