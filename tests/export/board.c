/* A board without an operating system, under qemu-system-arm: text, and instructions by SysTick, which counts one in 40
 * under -icount shift=0. Output by semihosting. */
#include <stdint.h>

#include "m.h"

extern int main(void);

static int call(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}
static void put(const char *text) { call(0x04, text); }
static void number(uint32_t x) {
  char text[12], *at = text + 11;
  *at = 0;
  do *--at = (char)('0' + x % 10);
  while (x /= 10);
  put(at);
}
static uint32_t ticks(void) { return 0xffffff - *(volatile uint32_t *)0xE000E018; }

void reset(void) {
#if defined(__ARM_FP)
  *(volatile uint32_t *)0xE000ED88 |= 0xF << 20; /* the FPU, which begins switched off */
  __asm__ volatile("dsb\n isb");
#endif
  main();
  {
    struct {
      uint32_t reason, status;
    } end = {0x20026, 0};
    call(0x20, &end);
    call(0x18, (void *)0x20026);
  }
  for (;;) {
  }
}
__attribute__((section(".vectors"), used)) static const struct {
  uint32_t stack;
  void (*handlers[15])(void);
} vectors = {0x20010000, {reset}};

int main(void) {
  static m_state state;
  static float logits[m_V];
  uint32_t spent[3] = {0, 0, 0};
  *(volatile uint32_t *)0xE000E014 = 0xffffff;
  *(volatile uint32_t *)0xE000E018 = 0;
  *(volatile uint32_t *)0xE000E010 = 5;
  if (m_self_test()) put("self-test failed: ");
  m_begin(&state);
  for (uint32_t i = 0; i < COUNT; ++i) {
    uint32_t at[4];
    int id, size;
    const char *token;
    char one[8];
    at[0] = ticks();
    m_logits(&state, logits);
    at[1] = ticks();
    id = m_choose(logits, 1.0f, m_draw(7, 0, i));
    at[2] = ticks();
    m_read(&state, id);
    at[3] = ticks();
    for (int k = 0; k < 3; ++k) spent[k] += (at[k + 1] - at[k]) & 0xffffff;
    token = m_token(id, &size);
    for (int k = 0; k < size; ++k) one[k] = token[k];
    one[size] = 0;
    put(one);
  }
  for (int k = 0; k < 3; ++k) put(k ? " " : "\n@"), number(spent[k] / COUNT * 40);
  return 0;
}
