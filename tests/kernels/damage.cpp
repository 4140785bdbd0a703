// damage CONTAINER SEED COUNT: opens COUNT damaged copies of a container, and uses those that open. Prints how many did, and not.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "elman.h"

static void use(elman_model* model) {
  elman_facts facts;
  if (elman_facts_of(model, &facts)) std::abort();
  elman_state* state = elman_state_new(model);
  std::vector<double> p(static_cast<size_t>(facts.vocab));
  elman_sampling how{0.8, 5, 0.9, 1, 0};
  int64_t ids[3] = {0, facts.vocab - 1, facts.vocab / 2}, made[4], size;
  if (elman_read(state, ids, 3) || elman_distribution(state, p.data()) || !elman_token(model, facts.vocab - 1, &size)) std::abort();
  elman_generate(state, &how, 0, 4, made);  // fails where no id may be written
  elman_state* copy = elman_state_copy(state);
  elman_state_free(state);
  double nats[3];
  if (elman_score(copy, ids, 3, nats)) std::abort();
  elman_state_free(copy);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> whole((std::istreambuf_iterator<char>(file)), {});
  std::mt19937_64 random(std::strtoull(argv[2], nullptr, 10));
  long opened = 0, refused = 0;
  for (long i = std::atol(argv[3]); i > 0; --i) {
    std::vector<char> bytes = whole;
    if (random() % 8 == 0) bytes.resize(random() % (bytes.size() + 1));
    for (uint64_t changes = random() % 4 + (bytes.size() == whole.size()); changes && !bytes.empty(); --changes) {
      size_t range = random() % 2 ? bytes.size() : 72, at = random() % (range < bytes.size() ? range : bytes.size());
      bytes[at] = random() % 2 ? char(random()) : char(bytes[at] ^ (1 << random() % 8));
    }
    elman_model* model = elman_open(bytes.data(), int64_t(bytes.size()));
    if (!model && !*elman_error()) std::abort();
    ++(model ? opened : refused);
    if (model) use(model);
    elman_close(model);
  }
  std::printf("%ld %ld\n", opened, refused);
}
