// SPDX-License-Identifier: MIT
// What the backend's own files share: the CPU block, the run that power_off returns to, and resets between machines.
#pragma once
#include <cstdint>
#include <hal/context.hpp>
#include <hal/cpu.hpp>
#include <hal/power.hpp>
#include <optional>
#include <string>

namespace hal::host {

// Where power_off returns to.
struct Run {
    Context home;
    Context guest;
    std::optional<PowerOff> end;
};
inline constinit Run* active_run = nullptr;
inline constinit bool in_trap = false;  // the signal handler is at work: no switching away
inline constinit std::string* console_capture = nullptr;
inline constinit std::uint64_t* entropy_seed = nullptr;  // state of the seeded sequence

void attach_cpu(CpuIndex);  // this Linux thread becomes that CPU: GS, its stack's bounds
void reset_cpu();           // interrupts off, nothing pending, timer off
void reset_clock();         // now_ns() starts again at 0
void reset_page_tables();
void reset_stacks();           // forgets all contexts (ASan's registry)
void install_trap_handlers();  // idempotent
void remove_trap_handlers();

struct StackBounds {
    std::uintptr_t bottom, top;
};
StackBounds thread_stack();  // of the calling Linux thread
StackBounds run_stack();     // of the machine that runs; empty without one

[[noreturn]] void fatal(const char* message);  // a line on standard error, then power_off(failure)

}  // namespace hal::host
