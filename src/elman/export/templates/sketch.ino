// Writes to the serial port for ever. A model by Elman; every board writes the same text.
#include <@NAME@.h>

static MODEL_state state;
static float logits[MODEL_V];
static uint32_t written = 0;

void setup() {
  Serial.begin(115200);
  while (!Serial) {
  }
  int wrong = MODEL_self_test();
  if (wrong) {
    Serial.print("self-test failed at ");
    Serial.println(wrong);
    while (true) {
    }
  }
  MODEL_begin(&state);
}

void loop() {
  MODEL_logits(&state, logits);
  int id = MODEL_choose(logits, 1.0f, MODEL_draw(1, 0, written++));
  int size;
  const char *token = MODEL_token(id, &size);
  Serial.write((const uint8_t *)token, size);
  MODEL_read(&state, id);
}
