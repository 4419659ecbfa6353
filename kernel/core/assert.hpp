// SPDX-License-Identifier: MIT
// Assertions: our own bug stops the kernel with a back-trace. One condition an assert; they stay on in every build
// except `release`, where EXO_DEBUG_ASSERT alone goes away.
#pragma once

namespace exo {
[[noreturn]] void panic_assert(const char* expression, const char* file, int line);
}

#define EXO_ASSERT(condition) \
    (__builtin_expect(!!(condition), 1) ? (void)0 : ::exo::panic_assert(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define EXO_DEBUG_ASSERT(condition) ((void)0)
#else
#define EXO_DEBUG_ASSERT(condition) EXO_ASSERT(condition)
#endif
