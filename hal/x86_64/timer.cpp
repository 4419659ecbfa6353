// SPDX-License-Identifier: MIT
// The local APIC timer, one shot at a time, and the clock: the time-stamp counter scaled by a 64x64 -> 128 bit multiply
// and a shift. Where the CPU has it, the timer's deadline is a value of the time-stamp counter.
#include <arch/apic.hpp>
#include <arch/internal.hpp>
#include <hal/cpu.hpp>
#include <hal/smp.hpp>
#include <hal/timer.hpp>
#include <regs/pc.hpp>

namespace hal {

using x86::lapic_read, x86::lapic_write;

namespace {

constexpr std::uint32_t divide_by_one = 0b1011;
constexpr std::uint64_t ns_per_second = 1'000'000'000, no_deadline = ~std::uint64_t{0};

constinit x86::Frequencies frequencies{};
constinit std::uint64_t ns_per_cycle = 0;        // 32.32 fixed point
constinit std::uint64_t cycles_per_ns = 0;       // 32.32 fixed point
constinit std::uint64_t ticks_per_ns = 0;        // 32.32 fixed point
constinit std::uint64_t deadline[cpus_limit]{};  // ns; no_deadline: none

std::uint64_t scale(std::uint64_t value, std::uint64_t factor) {
    return std::uint64_t(static_cast<unsigned __int128>(value) * factor >> 32);
}

// The counter holds a second or so; a longer wait is continued by timer_due.
void start_counter(std::uint64_t wait_ns) {
    constexpr std::uint64_t longest_ns = ns_per_second;
    std::uint64_t ticks = scale(wait_ns < longest_ns ? wait_ns : longest_ns, ticks_per_ns) + 1;
    if (ticks > 0xffff'ffff) ticks = 0xffff'ffff;
    lapic_write(regs::lapic::timer_initial, std::uint32_t(ticks));
}

void start_timer(std::uint64_t deadline_ns) {
    const std::uint64_t now = now_ns();
    const std::uint64_t wait_ns = deadline_ns > now ? deadline_ns - now : 0;
    if (!x86::features.tsc_deadline) return start_counter(wait_ns);
    constexpr std::uint64_t longest_ns = 3600 * ns_per_second;  // keeps the product within 64 bits
    x86::wrmsr(regs::msr::tsc_deadline,
               cycles() + scale(wait_ns < longest_ns ? wait_ns : longest_ns, cycles_per_ns) + 1);
}

void stop_timer() {
    if (x86::features.tsc_deadline) x86::wrmsr(regs::msr::tsc_deadline, 0);
    else lapic_write(regs::lapic::timer_initial, 0);
}

}  // namespace

void timer_init() {
    using namespace regs;
    if (cpu_index() == CpuIndex::boot) {
        x86::out8(port::pic1_data, 0xff);  // the 8259s stay silent
        x86::out8(port::pic2_data, 0xff);
    }
    x86::lapic_init();
    lapic_write(lapic::timer_divide, divide_by_one);
    if (cpu_index() == CpuIndex::boot) {
        frequencies = x86::find_frequencies();
        ns_per_cycle = (ns_per_second << 32) / frequencies.tsc_hz;
        // A little more than there are: what fires early is armed again.
        cycles_per_ns = (frequencies.tsc_hz << 28) / (ns_per_second >> 4) + 1;
        ticks_per_ns = (frequencies.apic_hz << 28) / (ns_per_second >> 4);
    }
    deadline[unsigned(cpu_index())] = no_deadline;
    lapic_write(lapic::timer_initial, 0);
    lapic_write(lapic::lvt_timer, x86::timer_vector | (x86::features.tsc_deadline ? lapic::lvt_tsc_deadline : 0));
    // The mode has to be set before the first deadline is: a store to the xAPIC page may lag behind WRMSR (SDM 3A
    // 11.5.4.1).
    if (x86::features.tsc_deadline) asm volatile("mfence" ::: "memory");
}

std::uint64_t cycles_per_second() { return frequencies.tsc_hz; }

std::uint64_t now_ns() { return scale(cycles() - x86::entry_cycles(), ns_per_cycle); }

void timer_arm(std::uint64_t deadline_ns) {
    deadline[unsigned(cpu_index())] = deadline_ns;
    if (deadline_ns == no_deadline) stop_timer();
    else start_timer(deadline_ns);
}

void timer_disarm() { timer_arm(no_deadline); }

namespace x86 {

bool timer_due() {
    std::uint64_t& due = deadline[unsigned(cpu_index())];
    if (due != no_deadline && now_ns() < due) {  // a part of a long wait, or rounding: not yet
        start_timer(due);
        return false;
    }
    due = no_deadline;
    return true;
}

}  // namespace x86
}  // namespace hal
