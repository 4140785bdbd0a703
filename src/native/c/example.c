/* A program that embeds a model: example CONTAINER COMMAND TEXT
 *   score     the cost of TEXT in bits
 *   write     TEXT and 200 tokens after it, drawn with seed 7
 *   next      the likeliest tokens after TEXT, and how likely they are
 *   code      TEXT as a short message: its code in hexadecimal digits, and what that gives back
 * The container is what `elman export plain MODEL -o CONTAINER` writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elman.h"

static int failed(void) {
  fprintf(stderr, "%s\n", elman_error());
  return 1;
}

static void *read_all(const char *name, long *size) {
  FILE *file = fopen(name, "rb");
  void *bytes = NULL;
  if (!file) return NULL;
  if (!fseek(file, 0, SEEK_END) && (*size = ftell(file)) >= 0 && !fseek(file, 0, SEEK_SET) && (bytes = malloc((size_t)*size + 1)) &&
      fread(bytes, 1, (size_t)*size, file) != (size_t)*size) {
    free(bytes);
    bytes = NULL;
  }
  fclose(file);
  return bytes;
}

static int score(elman_state *state, const int64_t *ids, int64_t count) {
  double *nats = malloc(((size_t)count + 1) * sizeof *nats), sum = 0.0;
  if (!nats || elman_score(state, ids, count, nats)) return failed();
  for (int64_t i = 0; i < count; ++i) printf("%a\n", nats[i]), sum += nats[i];
  printf("%.4f bits\n", sum / 0.69314718055994531);
  free(nats);
  return 0;
}

static int write_on(const elman_model *model, elman_state *state) {
  elman_sampling how = {1.0, 0, 0.0, 7, 0};
  int64_t made[200], size;
  if (elman_generate(state, &how, 0, 200, made)) return failed();
  for (int i = 0; i < 200; ++i) {
    const char *token = elman_token(model, made[i], &size);
    fwrite(token, 1, (size_t)size, stdout);
  }
  return 0;
}

static int next(const elman_model *model, const elman_state *state, int vocab) {
  double *p = malloc((size_t)vocab * sizeof *p);
  if (!p || elman_distribution(state, p)) return failed();
  for (int shown = 0; shown < 5; ++shown) {
    int best = 0;
    int64_t size;
    const char *token;
    for (int v = 1; v < vocab; ++v) best = p[v] > p[best] ? v : best;
    token = elman_token(model, best, &size);
    printf("%.*s %.17g\n", (int)size, token, p[best]);
    p[best] = -1.0;
  }
  free(p);
  return 0;
}

static int code(const elman_model *model, const char *text) {
  int64_t size = (int64_t)strlen(text), coded, decoded;
  unsigned char *bytes = malloc((size_t)size + 1);
  char *again = malloc((size_t)size + 1);
  elman_codec *codec = elman_codec_new(model, NULL, 0);
  int status = 1;
  if (!bytes || !again || !codec || (coded = elman_codec_encode(codec, text, size, bytes, size + 1)) < 0 ||
      (decoded = elman_codec_decode(codec, bytes, coded, again, size)) < 0) {
    failed();
  } else {
    for (int64_t i = 0; i < coded; ++i) printf("%02x", (unsigned)bytes[i]);
    printf("\n%.*s\n", (int)decoded, again);
    status = 0;
  }
  elman_codec_free(codec);
  free(bytes);
  free(again);
  return status;
}

int main(int argc, char **argv) {
  long size = 0;
  void *bytes;
  elman_model *model;
  elman_state *state;
  elman_facts facts;
  int64_t *ids, count;
  int status;
  if (argc != 4 || elman_abi() != ELMAN_ABI) return fprintf(stderr, "example CONTAINER score|write|next|code TEXT\n"), 2;
  bytes = read_all(argv[1], &size);
  if (!bytes) return perror(argv[1]), 1;
  model = elman_open(bytes, size);
  free(bytes);
  if (!model) return failed();
  ids = malloc((strlen(argv[3]) + 1) * sizeof *ids);
  if (!ids || elman_facts_of(model, &facts) || (count = elman_encode(model, argv[3], (int64_t)strlen(argv[3]), ids)) < 0) return failed();
  state = elman_state_new(model);
  if (!strcmp(argv[2], "score")) {
    status = score(state, ids, count);
  } else if (!strcmp(argv[2], "code")) {
    status = code(model, argv[3]);
  } else {
    if (elman_read(state, ids, count)) return failed();
    status = strcmp(argv[2], "write") ? next(model, state, facts.vocab) : write_on(model, state);
  }
  elman_state_free(state);
  elman_close(model);
  free(ids);
  return status;
}
