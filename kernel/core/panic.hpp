// SPDX-License-Identifier: MIT
// The end after a bug of our own: the cause, the registers if there was a trap, a symbolised back-trace, power off with
// failure. Works in any context, without locks or memory.
#pragma once
#include <hal/trap.hpp>
#include <string_view>

namespace exo {

[[noreturn]] void panic(std::string_view cause);
[[noreturn]] void panic_trap(const hal::TrapFrame&, const hal::TrapInfo&);
// Lines "  #0 address symbol+offset", from this frame pointer outwards, at most 32.
void print_backtrace(std::uintptr_t instruction, std::uintptr_t frame_pointer, const hal::TextSink&);

}  // namespace exo
