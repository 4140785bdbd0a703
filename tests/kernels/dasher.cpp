// What DasherCore asks of a language model of its registry, asked of ours: a class that is derived from its interface, made by a
// factory and used by pointer. Prints the shares of every symbol after the context of each node.
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

class LanguageModel {
 public:
  explicit LanguageModel(int count) : count_(count) {}
  virtual ~LanguageModel() {}
  typedef size_t Context;
  virtual Context CreateEmptyContext() = 0;
  virtual Context CloneContext(Context context) = 0;
  virtual void ReleaseContext(Context context) = 0;
  virtual void EnterSymbol(Context context, int symbol) = 0;
  virtual void LearnSymbol(Context context, int symbol) = 0;
  virtual void GetProbs(Context context, std::vector<unsigned int>& probs, int norm, int uniform) const = 0;
  virtual bool WriteToFile(std::string) { return false; }
  virtual bool ReadFromFile(std::string) { return false; }
  virtual int GetContextLength() const { return 5; }

 protected:
  const int count_;
};

#include "elman_dasher.hpp"

using Factory = std::function<LanguageModel*(const std::vector<std::string>&)>;

static void show(const LanguageModel& model, LanguageModel::Context context, int norm, int uniform) {
  std::vector<unsigned int> probs;
  model.GetProbs(context, probs, norm, uniform);
  for (unsigned int p : probs) std::printf("%u ", p);
  std::printf("\n");
}

// dasher CONTAINER LEARNS SYMBOL...: the text on standard input, of symbols alone, is entered symbol by symbol.
int main(int argc, char** argv) {
  std::ifstream file(argv[1], std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  elman_model* model = elman_open(bytes.data(), int64_t(bytes.size()));
  if (!model) return std::fprintf(stderr, "%s\n", elman_error()), 1;
  bool learns = argv[2][0] == '1';
  std::map<int, Factory> registry;
  registry[7] = [&](const std::vector<std::string>& symbols) { return new elman::DasherModel<LanguageModel>(model, symbols, learns); };
  std::vector<std::string> symbols(argv + 3, argv + argc);
  {
    std::unique_ptr<LanguageModel> made(registry[7](symbols));
    LanguageModel::Context root = made->CreateEmptyContext(), node = made->CloneContext(root);
    show(*made, node, 65536, 0);
    for (int c; (c = std::getchar()) != EOF;) {
      int symbol = 0;
      for (size_t i = 0; i < symbols.size(); ++i)
        if (symbols[i] == std::string(1, char(c))) symbol = int(i) + 1;
      LanguageModel::Context child = made->CloneContext(node);
      if (learns) made->LearnSymbol(child, symbol);
      else made->EnterSymbol(child, symbol);
      made->ReleaseContext(node);
      node = child;
      show(*made, node, 65536, 1000);
    }
    made->EnterSymbol(node, 0);        // none
    show(*made, node, 65536, 1000);
    show(*made, root, 65536, 0);
    show(*made, root, 3, 0);           // too few for all symbols
    made->ReleaseContext(node);
    made->ReleaseContext(root);
  }
  elman_close(model);
}
