/* typist_speed CONTAINER NGRAMS TEXT WIDTH LEAST...: one line for each pair, width, microseconds of CPU time for a distribution over the
 * 30 symbols and an entry, of a copy that is made and freed, milliseconds of a start, and bits a character. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "elman_typist.h"

enum { kRounds = 5, kCopies = 2000 };
static const char kSymbols[] = "abcdefghijklmnopqrstuvwxyz '.\n";

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char* whole(const char* path, int64_t* size) {
  FILE* file = fopen(path, "rb");
  if (!file) exit(fprintf(stderr, "%s: cannot be read\n", path));
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  char* bytes = malloc((size_t)*size + 1);
  if (!bytes || fread(bytes, 1, (size_t)*size, file) != (size_t)*size) exit(1);
  bytes[*size] = 0;
  fclose(file);
  return bytes;
}

static void least(double* best, double value) {
  if (value < *best) *best = value;
}

int main(int count, char** argument) {
  int64_t sizes[3];
  char* files[3];
  const char* symbols[sizeof kSymbols - 1];
  char spelt[sizeof kSymbols - 1][2];
  int32_t n = (int32_t)sizeof kSymbols - 1;
  if (count < 4) return 1;
  for (int i = 0; i < 3; ++i) files[i] = whole(argument[i + 1], &sizes[i]);
  for (int i = 0; i < n; ++i) spelt[i][0] = kSymbols[i], spelt[i][1] = 0, symbols[i] = spelt[i];
  elman_set_threads(1);
  for (int at = 4; at + 1 < count; at += 2) {
    elman_typing how = {1e-5, atoi(argument[at]), atof(argument[at + 1])};
    double symbol = 1e9, copy = 1e9, start = 1e9, bits = 0.0, p[sizeof kSymbols];
    for (int round = 0; round < kRounds; ++round) {
      double begun = now();
      elman_model* model = elman_open(files[0], sizes[0]);
      elman_typist* typist = elman_typist_new(model, symbols, n, &how);
      if (!typist || elman_typist_prime(typist, files[1], sizes[1])) return fprintf(stderr, "%s\n", elman_error()), 1;
      least(&start, now() - begun);
      bits = 0.0, begun = now();
      for (int64_t i = 0; i < sizes[2]; ++i) {
        const char* place = strchr(kSymbols, files[2][i]);
        elman_typist_probabilities(typist, p);
        bits -= log2(p[place - kSymbols]);
        elman_typist_enter(typist, (int32_t)(place - kSymbols));
      }
      least(&symbol, (now() - begun) / (double)sizes[2]);
      begun = now();
      for (int i = 0; i < kCopies; ++i) elman_typist_free(elman_typist_copy(typist));
      least(&copy, (now() - begun) / kCopies);
      elman_typist_free(typist);
      elman_close(model);
    }
    printf("%s %s %.2f %.3f %.1f %.4f\n", argument[at], argument[at + 1], symbol * 1e6, copy * 1e6, start * 1e3, bits / (double)sizes[2]);
    fflush(stdout);
  }
  return 0;
}
