// SPDX-License-Identifier: MIT
// Vector and floating-point state. The kernel is built with general registers only. For now ring 3 has no vector unit
// either (docs/limits.md): an instruction that needs one faults, so nothing leaks between threads that do not save it.
//
//   void vector_init()              Once a CPU: puts the unit in that state. On the host: nothing.
//   inline constexpr bool vector_available_to_user
#pragma once
#include <arch/vector.hpp>
