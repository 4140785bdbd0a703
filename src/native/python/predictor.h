#pragma once
#include <cstdint>
#include <memory>

#include "../coding/block.h"

// What a network is for the coder, and how it calls the 256 bytes. Immutable: any number of threads may use it.
struct PyPredictor {
  std::shared_ptr<const elman::coding::Source> source;
  elman::coding::Alphabet alphabet;
  int64_t ids;

  std::unique_ptr<elman::coding::Predictor> open() const { return source->open(); }
};
