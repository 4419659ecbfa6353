// SPDX-License-Identifier: MIT
// What the CPUs of this backend know of one another.
#pragma once
#include <cstdint>
#include <hal/cpu.hpp>
#include <hal/types.hpp>

namespace hal::x86 {

// A bit per CPU that takes part in flushes, its own included. Set by each for itself, never cleared.
extern constinit std::uint32_t cpus_running;

inline std::uint64_t cycles_in_us(std::uint64_t us) { return cycles_per_second() / 1'000'000 * us; }

// Waits until the condition holds, with relax; false if it does not within that time.
template <typename Condition>
bool within_us(std::uint64_t us, Condition condition) {
    const std::uint64_t start = cycles(), limit = cycles_in_us(us);
    while (!condition()) {
        if (cycles() - start >= limit) return false;
        relax();
    }
    return true;
}

// Makes every other CPU that may remember it forget the translation of `page` in the table at `root`; returns when they
// have. Any context; serves what they want meanwhile.
void flush_others(VirtAddr page, PhysAddr root);

// True: that CPU slept by MWAIT and wakes up, as Interrupt::wake.
bool wake_by_store(CpuIndex);

// A bit of the request word: the CPU looks at it by itself, no interrupt is needed.
inline constexpr std::uint32_t request_asleep = 1u << 31;

// Finds out whether a store ends a new CPU's MWAIT, with that CPU's help; if so, CPUs sleep that way from now on.
void mwait_trial(CpuIndex);
void mwait_trial_answer();
void use_mwait();

// Comparing time stamps with a CPU that has just arrived: the boot CPU asks, it answers. Both are bounded.
void clock_compare_ask(CpuIndex);
void clock_compare_answer();

}  // namespace hal::x86
