// SPDX-License-Identifier: MIT
// What the backend's own files share: the CPU blocks, entering and leaving the machine, and resets between machines.
#pragma once
#include <atomic>
#include <cstdint>
#include <hal/context.hpp>
#include <hal/cpu.hpp>
#include <hal/power.hpp>
#include <hal/smp.hpp>
#include <span>
#include <string>

namespace hal::host {

// A stack outside the arena, as a CPU's boot stack is on a PC, with its guard.
class RunStack {
  public:
    RunStack();  // throws std::system_error
    ~RunStack();
    RunStack(const RunStack&) = delete;
    RunStack& operator=(const RunStack&) = delete;
    std::span<std::byte> usable() const;

  private:
    std::byte* memory_;
};

inline constinit std::string* console_capture = nullptr;
inline constinit std::atomic<std::uint64_t>* entropy_seed = nullptr;  // state of the seeded sequence

HostCpu& cpu_block(CpuIndex);
void attach_cpu(CpuIndex);  // this Linux thread becomes that CPU: GS, its stack's bounds
void reset_cpu(HostCpu&);   // interrupts off, nothing pending, timer off

// Runs entry(argument) on `stack` as the calling CPU; returns when it does, or when the CPU leaves the machine.
void run_guest(const RunStack& stack, void (*entry)(void*), void* argument);
[[noreturn]] void leave_machine();  // back to run_guest's caller, on whatever context this is
void wake_cpu(HostCpu&);            // after a change of its pending word

// cpus.cpp
void set_cpu_count(unsigned);
unsigned running_cpus();
void end_others();   // every other CPU leaves where it next looks
void join_others();  // the boot CPU: returns when their Linux threads have ended

void reset_clock();  // now_ns() starts again at 0
void reset_page_tables();
void reset_stacks();           // forgets all contexts (ASan's registry)
void install_trap_handlers();  // idempotent; the calling Linux thread gets its signal stack
void remove_trap_handlers();
void remove_signal_stack();  // of the calling Linux thread

struct StackBounds {
    std::uintptr_t bottom, top;
};
StackBounds thread_stack();  // of the calling Linux thread
StackBounds run_stack();     // the boot stack of the calling CPU; empty without one

[[noreturn]] void fatal(const char* message);  // a line on standard error, then power_off(failure)

}  // namespace hal::host
