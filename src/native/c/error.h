// How libelman refuses what a caller gave.
#pragma once
#include <cstdint>
#include <string>

namespace elman::c {

int fail(std::string text);  // 1, after which elman_error() is this text
int check_ids(const int64_t* ids, int64_t count, int64_t first, int64_t end, const char* what);  // each in first .. end-1: 0

}  // namespace elman::c
