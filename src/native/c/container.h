// The plain container that src/elman/export/plain.py writes: its sizes and arrays, checked. It comes from anywhere, so nothing of
// it is believed: every size bounds the arrays before they are touched, and numbers that could overflow a sum are refused.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../float/model.h"
#include "../integer/packed.h"

namespace elman::c {

struct Header {
  int32_t version, cell, L, H, V, E, bits, bias, start, tokens, normalisation, records, token_bytes, zero[3];
};

struct Matrix {
  std::vector<int8_t> q;           // (N, K)
  std::vector<float> scale;        // (N)
};

struct Container {
  Header header;
  std::vector<uint32_t> token_at;  // (V + 1)
  std::vector<char> token_bytes;
  // Of a float model: as Model::weights() lists them.
  std::vector<std::vector<float>> weights;
  // Of an integer one: as Packed takes them.
  struct Layer {
    Matrix ih, hh;                 // ih of layer 0: empty, since `inputs` has it
    std::vector<int32_t> bias, bias_hn;
  };
  std::vector<Layer> layers;
  Matrix output;
  std::vector<float> output_bias;
  std::vector<int32_t> inputs;     // (V, GH)

  bool is_float() const { return header.bits == 32; }
  Model model();                   // of a float model; points into `weights`
};

// "": read; else what is wrong.
std::string read(const uint8_t* bytes, int64_t size, Container& to);
// The bytes of a float model's container, which `room` bytes at `to` get where they are enough: how many.
int64_t write(const Container& from, uint8_t* to, int64_t room);

}  // namespace elman::c
