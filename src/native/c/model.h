// A model that was opened from a container: what the parts of elman.h share.
#pragma once
#include <memory>
#include <vector>

#include "../integer/packed.h"
#include "container.h"

struct elman_model {
  elman::c::Container from;
  elman::Packed floats;
  std::shared_ptr<const elman::integer::Packed> integers;
  std::vector<float> never;        // (V) what a choice adds to the logits: -inf for ids that are never written

  int64_t V() const { return from.header.V; }
};
