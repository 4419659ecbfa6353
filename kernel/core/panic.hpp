// SPDX-License-Identifier: MIT
// The end after a bug of our own: the cause, the registers if there was a trap, a symbolised back-trace, power off with
// failure. Works in any context, without locks or memory. Of several CPUs the first one prints; the others stop where
// they are.
#pragma once
#include <hal/trap.hpp>
#include <lib/text.hpp>
#include <string_view>

namespace exo {

[[noreturn]] void panic(std::string_view cause);
[[noreturn]] void panic_trap(const hal::TrapFrame&, const hal::TrapInfo&);
// From the wake interrupt: does not return once another CPU panics.
void panic_stop_if_elsewhere();
// Called once, after the cause and before the back-trace, to say more about the state; null: nothing.
void panic_describe_with(void (*describe)(const TextSink&));
// Lines "  #0 address symbol+offset", from this frame pointer outwards, at most 32.
void print_backtrace(std::uintptr_t instruction, std::uintptr_t frame_pointer, const hal::TextSink&);

}  // namespace exo
