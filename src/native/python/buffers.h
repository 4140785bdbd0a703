// Where Python's arrays become addresses; nowhere else. An array is anything with the buffer protocol, such as NumPy's.
//
// `Arrays` holds the buffers of one call, so nobody can free or resize them while it runs, and compares type, shape
// and layout with what the operation needs. A mismatch is a fault of the package's own Python: a plain ValueError.
#pragma once
#include <nanobind/nanobind.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <string>
#include <vector>

#include "../team/environment.h"

namespace elman {

namespace nb = nanobind;

enum Kind : int { FLOAT32, FLOAT64, INT64, INT8, UINT8, UINT16, UINT32, INT16, INT32 };

// An argument as it was given: an array of this type; or, if it may be left out, None.
template <int K, bool Optional = false>
struct Argument {
  nb::handle object;
};
using Floats = Argument<FLOAT32>;
using MaybeFloats = Argument<FLOAT32, true>;
using Doubles = Argument<FLOAT64>;
using MaybeDoubles = Argument<FLOAT64, true>;
using Ids = Argument<INT64>;
using MaybeIds = Argument<INT64, true>;
using Bytes = Argument<UINT8>;
using MaybeBytes = Argument<UINT8, true>;
using Words = Argument<UINT32>;

template <int K> struct TypeOf;
template <> struct TypeOf<FLOAT32> { using type = float; };
template <> struct TypeOf<FLOAT64> { using type = double; };
template <> struct TypeOf<INT64> { using type = int64_t; };
template <> struct TypeOf<INT8> { using type = int8_t; };
template <> struct TypeOf<UINT8> { using type = uint8_t; };
template <> struct TypeOf<UINT16> { using type = uint16_t; };
template <> struct TypeOf<UINT32> { using type = uint32_t; };
template <> struct TypeOf<INT16> { using type = int16_t; };
template <> struct TypeOf<INT32> { using type = int32_t; };

class Arrays {
 public:
  using Shape = std::initializer_list<int64_t>;  // -1: any

  Arrays() = default;
  Arrays(const Arrays&) = delete;
  ~Arrays() {
    for (Held& held : held_) PyBuffer_Release(&held.view);
  }

  // The elements to be read; null for None.
  template <int K, bool Optional>
  const typename TypeOf<K>::type* in(Argument<K, Optional> a, const char* name, Shape shape) {
    return static_cast<const typename TypeOf<K>::type*>(take(a.object, name, K, Optional, shape, false));
  }
  // The elements to be written, which overlap nothing else that the call holds; null for None.
  template <int K, bool Optional>
  typename TypeOf<K>::type* out(Argument<K, Optional> a, const char* name, Shape shape) {
    return static_cast<typename TypeOf<K>::type*>(take(a.object, name, K, Optional, shape, true));
  }
  // Ids, copied; null for null. The kernel indexes by them, and once Python's lock is released another thread may write to
  // the array: so it is the copy that is checked and read.
  const int64_t* copy(const int64_t* ids, int64_t count) {
    if (!ids) return nullptr;
    std::vector<int64_t>& own = copies_.emplace_back(size_t(count) + 1);  // not empty: its address says that it was given
    std::memcpy(own.data(), ids, sizeof(int64_t) * size_t(count));
    return own.data();
  }
  // The length of an axis of the last array taken.
  int64_t size(int axis) const { return held_.back().view.shape[axis]; }

 private:
  struct Held {
    Py_buffer view;
    bool written;
  };
  void* take(nb::handle object, const char* name, int kind, bool optional, Shape shape, bool written);

  std::deque<Held> held_;  // a deque: a view may point into itself, so it must not move
  std::deque<std::vector<int64_t>> copies_;
};

// Throws a ValueError with this message unless it holds.
void expect(bool holds, const char* message);
// Throws a RuntimeError with this message unless it is empty.
void expect_nothing(const std::string& wrong);
void check_cell(int cell);
void check_dropout(double p);
// Throws an IndexError: ids that a caller gave are the one thing that only their values tell.
void check_ids(const int64_t* ids, int64_t count, int64_t first, int64_t end, const char* what);

// While the kernel works: other threads of Python run, and numbers round to nearest.
struct Native {
  nb::gil_scoped_release release;
  FloatEnvironment environment;
};

}  // namespace elman

namespace nanobind::detail {
template <int K, bool Optional>
struct type_caster<elman::Argument<K, Optional>> {
  static constexpr auto name_of() {
    if constexpr (K == elman::FLOAT32) return const_name("numpy.typing.NDArray[numpy.float32]");
    else if constexpr (K == elman::FLOAT64) return const_name("numpy.typing.NDArray[numpy.float64]");
    else if constexpr (K == elman::INT64) return const_name("numpy.typing.NDArray[numpy.int64]");
    else if constexpr (K == elman::INT8) return const_name("numpy.typing.NDArray[numpy.int8]");
    else if constexpr (K == elman::UINT8) return const_name("numpy.typing.NDArray[numpy.uint8]");
    else if constexpr (K == elman::UINT16) return const_name("numpy.typing.NDArray[numpy.uint16]");
    else if constexpr (K == elman::INT16) return const_name("numpy.typing.NDArray[numpy.int16]");
    else if constexpr (K == elman::INT32) return const_name("numpy.typing.NDArray[numpy.int32]");
    else return const_name("numpy.typing.NDArray[numpy.uint32]");
  }
  using Given = elman::Argument<K, Optional>;
  NB_TYPE_CASTER(Given, name_of() + const_name<Optional>(" | None", ""))
  bool from_python(handle object, uint8_t, cleanup_list*) noexcept {
    value.object = object;  // `Arrays` checks it, by its name
    return true;
  }
};
}  // namespace nanobind::detail
