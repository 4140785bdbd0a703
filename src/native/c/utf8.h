// Characters in UTF-8.
#pragma once
#include <cstdint>

namespace elman::c {

// Bytes of the character that begins `text`, of which `left` bytes are there; 0 where it is none.
inline int64_t character(const char* text, int64_t left) {
  if (left < 1) return 0;
  auto byte = [&](int64_t i) { return uint8_t(text[i]); };
  uint8_t lead = byte(0);
  int64_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (size > left) return 0;
  for (int64_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  bool outside = (lead == 0xED && byte(1) >= 0xA0) || (lead == 0xF4 && byte(1) >= 0x90);  // surrogates, and above U+10FFFF
  return overlong || outside ? 0 : size;
}

}  // namespace elman::c
