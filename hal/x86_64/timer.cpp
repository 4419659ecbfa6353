// SPDX-License-Identifier: MIT
// The local APIC timer, one shot at a time, and the clock: the time-stamp counter scaled by a 64x64 -> 128 bit multiply
// and a shift. Frequencies come from CPUID where it tells them, else they are measured against the PIT.
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

struct Frequencies {
    std::uint64_t tsc_hz = 0, apic_hz = 0;  // apic_hz: before the divider
};
constinit Frequencies frequencies{};
constinit std::uint64_t ns_per_cycle = 0;        // 32.32 fixed point
constinit std::uint64_t ticks_per_ns = 0;        // 32.32 fixed point
constinit std::uint64_t deadline[cpus_limit]{};  // ns; no_deadline: none

std::uint64_t scale(std::uint64_t value, std::uint64_t factor) {
    return std::uint64_t(static_cast<unsigned __int128>(value) * factor >> 32);
}

// SDM 3A 20.7.3 and CPUID leaf 15h: the timer counts the crystal clock, the TSC a ratio of it. Hypervisors may tell
// both in kHz in leaf 4000'0010h.
Frequencies from_cpuid() {
    using namespace regs;
    if (x86::cpuid(cpuid::leaf_basic).value[0] >= cpuid::leaf_tsc) {
        const auto [ratio] = x86::cpuid(cpuid::leaf_tsc);
        if (ratio[0] && ratio[1] && ratio[2]) return {std::uint64_t(ratio[2]) * ratio[1] / ratio[0], ratio[2]};
    }
    if (x86::cpuid_has(cpuid::hypervisor) &&
        x86::cpuid(cpuid::leaf_hypervisor).value[0] >= cpuid::leaf_hypervisor_timing) {
        const auto [khz] = x86::cpuid(cpuid::leaf_hypervisor_timing);
        if (khz[0] && khz[1]) return {std::uint64_t(khz[0]) * 1000, std::uint64_t(khz[1]) * 1000};
    }
    return {};
}

// One measurement. PIT channel 2 in mode 0 raises its output after `pit_ticks`; port 61h shows it in bit 5. A machine
// without a PIT never does, or at once: then the bounded wait says so.
Frequencies measure_once() {
    using namespace regs;
    constexpr std::uint64_t pit_hz = 1'193'182;
    constexpr std::uint16_t pit_ticks = 5'966;  // 5 ms
    const std::uint8_t gate = x86::in8(port::pit_gate);
    x86::out8(port::pit_gate, std::uint8_t((gate & ~0x02u) | 0x01));  // speaker off, gate on
    x86::out8(port::pit_command, 0xb0);                               // channel 2, both bytes, mode 0
    x86::out8(port::pit_channel2, pit_ticks & 0xff);
    lapic_write(lapic::timer_initial, 0xffff'ffff);
    x86::out8(port::pit_channel2, pit_ticks >> 8);  // counting starts
    const std::uint64_t start = cycles();
    const std::uint32_t apic_start = lapic_read(lapic::timer_current);
    unsigned spins = 0;
    constexpr unsigned spins_max = 4'000'000;  // port reads; each takes about a microsecond on hardware
    while (!(x86::in8(port::pit_gate) & 0x20) && spins < spins_max) ++spins;
    const std::uint64_t elapsed = cycles() - start;
    const std::uint32_t apic_elapsed = apic_start - lapic_read(lapic::timer_current);
    lapic_write(lapic::timer_initial, 0);
    x86::out8(port::pit_gate, gate);
    if (spins < 4 || spins == spins_max) return {};
    return {elapsed * pit_hz / pit_ticks, apic_elapsed * pit_hz / pit_ticks};
}

// Whatever interferes (SMM, a hypervisor that runs something else) only makes the wait longer: the least counts, and
// is believed when a second one comes within 1 % of it.
Frequencies from_pit() {
    Frequencies best = measure_once();
    for (unsigned again = 0; again < 8; ++again) {
        const Frequencies next = measure_once();
        const std::uint64_t apart = next.tsc_hz > best.tsc_hz ? next.tsc_hz - best.tsc_hz : best.tsc_hz - next.tsc_hz;
        if (next.tsc_hz < best.tsc_hz) best = next;
        if (apart <= best.tsc_hz / 100) break;
    }
    return best;
}

// Neither told nor measurable: the base frequency, or 1 GHz, so that time at least goes on.
Frequencies assumed() {
    std::uint64_t mhz = 1000;
    if (x86::cpuid(regs::cpuid::leaf_basic).value[0] >= regs::cpuid::leaf_frequency) {
        const std::uint64_t base = x86::cpuid(regs::cpuid::leaf_frequency).value[0] & 0xffff;
        if (base) mhz = base;
    }
    return {mhz * 1'000'000, ns_per_second};
}

bool usable(const Frequencies& f) { return f.tsc_hz >= 1'000'000 && f.apic_hz >= 100'000; }

void find_frequencies() {
    frequencies = from_cpuid();
    if (!usable(frequencies)) frequencies = from_pit();
    if (!usable(frequencies)) frequencies = assumed();
    ns_per_cycle = (ns_per_second << 32) / frequencies.tsc_hz;
    ticks_per_ns = (frequencies.apic_hz << 32) / ns_per_second;
}

// One shot of at most what the counter holds; a longer wait is continued by hal_interrupt.
void start_timer(std::uint64_t deadline_ns) {
    const std::uint64_t now = now_ns();
    const std::uint64_t wait_ns = deadline_ns > now ? deadline_ns - now : 0;
    constexpr std::uint64_t longest_ns = ns_per_second;
    std::uint64_t ticks = scale(wait_ns < longest_ns ? wait_ns : longest_ns, ticks_per_ns) + 1;
    if (ticks > 0xffff'ffff) ticks = 0xffff'ffff;
    lapic_write(regs::lapic::timer_initial, std::uint32_t(ticks));
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
    if (cpu_index() == CpuIndex::boot) find_frequencies();
    deadline[unsigned(cpu_index())] = no_deadline;
    lapic_write(lapic::timer_initial, 0);
    lapic_write(lapic::lvt_timer, x86::timer_vector);
}

std::uint64_t cycles_per_second() { return frequencies.tsc_hz; }

std::uint64_t now_ns() { return scale(cycles() - x86::entry_cycles(), ns_per_cycle); }

void timer_arm(std::uint64_t deadline_ns) {
    deadline[unsigned(cpu_index())] = deadline_ns;
    if (deadline_ns == no_deadline) lapic_write(regs::lapic::timer_initial, 0);
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
