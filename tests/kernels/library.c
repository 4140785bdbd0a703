/* A program in C that links libelman: reads the inputs of one recurrent layer from stdin, runs it forward and backward, and
 * writes all results to stdout. Arguments: cell T B I H. What a caller can get wrong is tried first. */
#include <elman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float* room(int64_t count) { return calloc((size_t)count + 1, sizeof(float)); }
static float* given(int64_t count) {
  float* x = room(count);
  if (fread(x, sizeof(float), (size_t)count, stdin) != (size_t)count) exit(3);
  return x;
}
static void give(const float* x, int64_t count) { fwrite(x, sizeof(float), (size_t)count, stdout); }
static void succeed(int failed) {
  if (!failed) return;
  fprintf(stderr, "%s\n", elman_error());
  exit(4);
}
static void refused(int failed, const char* why) {
  if (failed && strstr(elman_error(), why)) return;
  fprintf(stderr, "expected '%s', got %d '%s'\n", why, failed, elman_error());
  exit(5);
}

int main(int count, char** arguments) {
  if (count != 6 || elman_abi() != ELMAN_ABI) return 2;
  elman_layer l = {0};
  l.cell = atoi(arguments[1]), l.T = atoi(arguments[2]), l.B = atoi(arguments[3]), l.I = atoi(arguments[4]), l.H = atoi(arguments[5]);
  int lstm = l.cell == ELMAN_LSTM, gates = lstm ? 4 : l.cell == ELMAN_GRU ? 3 : 1, saved = gates > 1 ? 4 : 0;
  int64_t N = gates * l.H, state = l.B * l.H, all = l.T * state, input = l.T * l.B * l.I;
  float* x = given(input);
  float *h0 = given(state), *c0 = lstm ? given(state) : NULL, *w_ih = given(N * l.I), *w_hh = given(N * l.H);
  float *b_ih = given(N), *b_hh = given(N), *d_out = given(all), *d_hn = given(state), *d_cn = lstm ? given(state) : NULL;
  float *out = room(all), *hn = room(state), *cn = lstm ? room(state) : NULL;
  float *kept = saved ? room(all * saved) : NULL, *cells = lstm ? room(all) : NULL;

  refused(elman_set_isa("mmx"), "ELMAN_ISA is 'mmx'; this machine can run");
  refused(elman_set_threads(0), "threads must be in 1..1024");
  refused(elman_forward(NULL, out, hn, cn, kept, cells), "no layer was given");
  refused(elman_forward(&l, out, hn, cn, kept, cells), "give either ids or x");
  l.x = x, l.h0 = h0, l.c0 = c0, l.w_ih = w_ih, l.w_hh = w_hh, l.b_ih = b_ih;
  refused(elman_forward(&l, out, hn, cn, kept, cells), "give both biases or neither");
  l.b_hh = b_hh;
  int64_t T = l.T;
  l.T = INT64_MAX;
  refused(elman_forward(&l, out, hn, cn, kept, cells), "more than 2^40 elements");
  l.T = T;
  int64_t beyond = l.I, target = 0;
  elman_layer ids = l;
  ids.x = NULL, ids.ids = &beyond, ids.T = ids.B = 1;
  refused(elman_forward(&ids, out, hn, cn, kept, cells), "token ids must be in 0..");
  float nats, mean;
  refused(elman_cross_entropy(1, 1, 1, -1, x, x, NULL, &target, &nats, &mean), "V and H must be at least 1");

  succeed(elman_set_threads(3));
  succeed(elman_forward(&l, out, hn, cn, kept, cells));
  elman_gradients g = {0};
  g.out = out, g.gates = kept, g.cells = cells, g.d_out = d_out, g.d_hn = d_hn, g.d_cn = d_cn;
  g.d_x = room(input), g.d_h0 = room(state), g.d_c0 = lstm ? room(state) : NULL;
  g.d_w_ih = room(N * l.I), g.d_w_hh = room(N * l.H), g.d_b_ih = room(N), g.d_b_hh = room(N);
  succeed(elman_backward(&l, &g));
  give(out, all), give(hn, state);
  if (lstm) give(cn, state);
  give(g.d_x, input), give(g.d_h0, state);
  if (lstm) give(g.d_c0, state);
  give(g.d_w_ih, N * l.I), give(g.d_w_hh, N * l.H), give(g.d_b_ih, N), give(g.d_b_hh, N);
  fprintf(stderr, "%s %s %d\n", elman_version(), elman_isa(), (int)elman_threads());
  return 0;
}
