// SPDX-License-Identifier: MIT
#include <core/assert.hpp>
#include <cstdio>
#include <cstdlib>

namespace exo {
void panic_assert(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "assertion failed: %s at %s:%d\n", expression, file, line);
    std::abort();
}
}  // namespace exo
