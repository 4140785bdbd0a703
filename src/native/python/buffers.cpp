#include "buffers.h"

#include <cstring>
#include <stdexcept>
#include <string>

#include "../float/kernels.h"

namespace elman {
namespace {

struct Type {
  const char* name;
  char letter;  // of the struct module: f real, i signed, u unsigned
  int64_t bytes;
};
constexpr Type kTypes[] = {{"float32", 'f', 4}, {"float64", 'f', 8}, {"int64", 'i', 8}, {"int8", 'i', 1},
                           {"uint8", 'u', 1},   {"uint16", 'u', 2},  {"uint32", 'u', 4}, {"int16", 'i', 2},
                           {"int32", 'i', 4}};

char letter_of(const char* format) {
  if (!format) return 'u';  // bytes
  if (*format == '@' || *format == '=' || *format == '<') ++format;
  if (std::strlen(format) != 1) return '?';
  if (std::strchr("efd", *format)) return 'f';
  if (std::strchr("bhilqn", *format)) return 'i';
  return std::strchr("BHILQN?", *format) ? 'u' : '?';
}

template <class Size>
std::string text_of(const Size* shape, int axes) {
  std::string text = "(";
  for (int i = 0; i < axes; ++i) text += (i ? ", " : "") + (shape[i] < 0 ? std::string("any") : std::to_string(shape[i]));
  return text + ")";
}

}  // namespace

void expect(bool holds, const char* message) {
  if (!holds) throw nb::value_error(message);
}

void expect_nothing(const std::string& wrong) {
  if (!wrong.empty()) throw std::runtime_error(wrong);
}

void* Arrays::take(nb::handle object, const char* name, int kind, bool optional, Shape shape, bool written) {
  if (object.is_none()) {
    if (!optional) throw nb::value_error((std::string(name) + " is missing").c_str());
    return nullptr;
  }
  const Type& type = kTypes[kind];
  Held& held = held_.emplace_back();
  Py_buffer& view = held.view;
  held.written = written;
  if (PyObject_GetBuffer(object.ptr(), &view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (written ? PyBUF_WRITABLE : 0)) != 0) {
    held_.pop_back();
    nb::python_error error;
    throw nb::value_error((std::string(name) + ": " + error.what()).c_str());
  }
  const int64_t* expected = shape.begin();
  bool fits = letter_of(view.format) == type.letter && view.itemsize == type.bytes && view.ndim == int(shape.size());
  for (int i = 0; fits && i < view.ndim; ++i) fits = expected[i] == -1 || view.shape[i] == expected[i];
  if (!fits) {
    std::string text = std::string(name) + " is of format '" + (view.format ? view.format : "B") + "' and shape " +
                       text_of(view.shape, view.ndim) + "; expected " + type.name + " " +
                       text_of(expected, int(shape.size()));
    throw nb::value_error(text.c_str());
  }
  auto begin = reinterpret_cast<uintptr_t>(view.buf), end = begin + uintptr_t(view.len);
  for (const Held& other : held_) {
    auto first = reinterpret_cast<uintptr_t>(other.view.buf), last = first + uintptr_t(other.view.len);
    if (&other != &held && (written || other.written) && begin < last && first < end)
      throw nb::value_error((std::string(name) + " shares memory with another array, and one of them is written").c_str());
  }
  static double nothing;
  return view.buf ? view.buf : &nothing;  // what has no elements may have no address, yet it was given
}

void check_cell(int cell) { expect(RNN_RELU <= cell && cell <= LSTM, "cell must be in 0..3"); }

void check_dropout(double p) { expect(p >= 0.0 && p < 1.0, "p must be in [0, 1)"); }

void check_ids(const int64_t* ids, int64_t count, int64_t first, int64_t end, const char* what) {
  for (int64_t i = 0; i < count; ++i)
    if (ids[i] < first || ids[i] >= end)
      throw std::out_of_range(std::string(what) + " must be in " + std::to_string(first) + ".." +
                              std::to_string(end - 1) + ", got " + std::to_string(ids[i]) + " at position " +
                              std::to_string(i));
}

}  // namespace elman
