// Where code that may be built without exceptions meets the standard library's exceptions.
#pragma once
#include <cstdlib>
#include <new>

#if defined(__cpp_exceptions)
#include <exception>
#endif

namespace elman {

// Memory that no machine has. Without exceptions it ends the process, as the library's own operator new then does.
[[noreturn]] inline void out_of_memory() {
#if defined(__cpp_exceptions)
  throw std::bad_alloc();
#else
  std::abort();
#endif
}

// What was thrown on a thread of a team, to be thrown again on its caller's.
class Failure {
 public:
#if defined(__cpp_exceptions)
  template <class F>
  void catch_from(F&& f) noexcept {
    try {
      f();
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::exception_ptr thrown_;
#else
  template <class F>
  void catch_from(F&& f) { f(); }
  void rethrow() const {}
#endif
};

}  // namespace elman
