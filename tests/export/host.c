/* PROGRAM COUNT SEED: after the self-test, COUNT tokens of the model, read from standard input's text on. */
#include <stdio.h>
#include <stdlib.h>

#include "m.h"

int main(int argc, char **argv) {
  static m_state state;
  static float logits[m_V];
  static char text[100];
  int size, wrong = m_self_test();
  if (argc != 3 || wrong) {
    fprintf(stderr, "self-test: %d\n", wrong);
    return 1;
  }
  m_begin(&state);
  size = (int)fread(text, 1, sizeof text, stdin);
  for (int at = 0, used; at < size; at += used) m_read(&state, m_id(text + at, size - at, &used));
  for (int i = 0; i < atoi(argv[1]); ++i) {
    int id;
    const char *token;
    m_logits(&state, logits);
    id = m_choose(logits, (float)(1.0 / 0.9), m_draw(strtoull(argv[2], 0, 10), 0, (uint32_t)i));
    token = m_token(id, &size);
    fwrite(token, 1, (size_t)size, stdout);
    m_read(&state, id);
  }
  return 0;
}
