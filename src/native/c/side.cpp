#include "side.h"

#include <algorithm>

#include "../team/environment.h"

namespace elman::c {

namespace {

template <class X>
void gather(const std::vector<const Place*>& from, std::vector<X> Place::*part, size_t L, size_t H, std::vector<X>& to) {
  size_t B = from.size();
  to.resize((from[0]->*part).empty() ? 0 : L * B * H);
  for (size_t b = 0; b < B && !to.empty(); ++b)
    for (size_t l = 0; l < L; ++l) std::copy_n((from[b]->*part).data() + l * H, H, to.data() + (l * B + b) * H);
}

template <class X>
void scatter(const std::vector<X>& from, std::vector<X> Place::*part, size_t L, size_t H, std::vector<Place>& to) {
  size_t B = to.size();
  for (size_t b = 0; b < B && !from.empty(); ++b) {
    (to[b].*part).resize(L * H);
    for (size_t l = 0; l < L; ++l) std::copy_n(from.data() + (l * B + b) * H, H, (to[b].*part).data() + l * H);
  }
}

}  // namespace

Place SideBySide::begin() const {
  const Header& header = model_->from.header;
  auto size = size_t(header.L) * size_t(header.H);
  Place made;
  if (model_->integers) made.h8.assign(size, 0), made.c16.assign(header.cell >= GRU ? size : 0, 0);
  else made.h.assign(size, 0.0f), made.c.assign(header.cell == LSTM ? size : 0, 0.0f);
  return made;
}

void SideBySide::read(const std::vector<const Place*>& before, const std::vector<int64_t>& ids, std::vector<Place>& read) {
  const Header& header = model_->from.header;
  auto L = size_t(header.L), H = size_t(header.H);
  auto B = int64_t(before.size());
  logits_.resize(size_t(B * model_->V()));
  gather(before, &Place::h, L, H, all_.h), gather(before, &Place::c, L, H, all_.c);
  gather(before, &Place::h8, L, H, all_.h8), gather(before, &Place::c16, L, H, all_.c16);
  FloatEnvironment environment;
  if (model_->integers) {
    const integer::Table& table = model_->integers->table();
    const integer::Network& network = model_->integers->network();
    void* memory = memory_.room(table.memory_of(network, B, 1));
    int16_t* c16 = all_.c16.empty() ? nullptr : all_.c16.data();
    table.read({&network, B, 1, all_.h8.data(), c16, memory, kernels().choose}, 1, ids.data(), logits_.data(), false, nullptr, nullptr);
  } else {
    const elman::Packed& p = model_->floats;
    float* c = all_.c.empty() ? nullptr : all_.c.data();
    kernels().decoder_read({p.cell, p.L, B, p.H, p.V, p.layers.data(), p.w_out, p.b_out, all_.h.data(), c, logits_.data(), p.E, p.embedding},
                           1, ids.data());
  }
  read.resize(before.size());
  scatter(all_.h, &Place::h, L, H, read), scatter(all_.c, &Place::c, L, H, read);
  scatter(all_.h8, &Place::h8, L, H, read), scatter(all_.c16, &Place::c16, L, H, read);
}

}  // namespace elman::c
