// SPDX-License-Identifier: MIT
// How fast the time-stamp counter and the local APIC's timer run: CPUID's word where it gives one, else measured over
// 5 ms against the ACPI power-management timer or the PIT, each of which checks the other. All waits are bounded,
// whatever is missing.
#include <arch/acpi.hpp>
#include <arch/apic.hpp>
#include <arch/internal.hpp>
#include <hal/cpu.hpp>
#include <regs/pc.hpp>

namespace hal::x86 {
namespace {

constexpr std::uint64_t pit_hz = 1'193'182, pm_hz = 3'579'545;
constexpr std::uint16_t pit_ticks = 5'966;  // 5 ms
constexpr std::uint32_t pm_ticks = 17'898, pm_mask = 0xff'ffff;

// SDM 3A 20.7.3 and CPUID leaf 15h: the timer counts the crystal clock, the TSC a ratio of it. Hypervisors may tell
// both in kHz in leaf 4000'0010h.
Frequencies from_cpuid() {
    using namespace regs;
    if (cpuid(cpuid::leaf_basic).value[0] >= cpuid::leaf_tsc) {
        const auto [ratio] = cpuid(cpuid::leaf_tsc);
        if (ratio[0] && ratio[1] && ratio[2]) return {std::uint64_t(ratio[2]) * ratio[1] / ratio[0], ratio[2]};
    }
    if (cpuid_has(cpuid::hypervisor) && cpuid(cpuid::leaf_hypervisor).value[0] >= cpuid::leaf_hypervisor_timing) {
        const auto [khz] = cpuid(cpuid::leaf_hypervisor_timing);
        if (khz[0] && khz[1]) return {std::uint64_t(khz[0]) * 1000, std::uint64_t(khz[1]) * 1000};
    }
    return {};
}

// All counters at one moment, as nearly as can be: the power-management timer is read between two time stamps, and
// again if something came between them.
struct Moment {
    std::uint64_t tsc;
    std::uint32_t apic, pm;
};
Moment read_moment() {
    Moment best{};
    std::uint64_t least = ~std::uint64_t{0};
    for (unsigned attempt = 0; attempt < 4; ++attempt) {
        const std::uint64_t before = cycles();
        const std::uint32_t apic = lapic_read(regs::lapic::timer_current);
        const std::uint32_t pm = machine.pm_timer_port ? in32(machine.pm_timer_port) & pm_mask : 0;
        const std::uint64_t took = cycles() - before;
        if (took >= least) continue;
        least = took;
        best = {before + took / 2, apic, pm};
    }
    return best;
}

// PIT channel 2 in mode 0 raises its output after pit_ticks; port 61h shows it in bit 5.
class Pit {
  public:
    Pit() : gate_(in8(regs::port::pit_gate)) {
        using namespace regs;
        out8(port::pit_gate, std::uint8_t((gate_ & ~0x02u) | 0x01));  // speaker off, gate on
        out8(port::pit_command, 0xb0);                                // channel 2, both bytes, mode 0
        out8(port::pit_channel2, pit_ticks & 0xff);
    }
    ~Pit() { out8(regs::port::pit_gate, gate_); }
    Pit(const Pit&) = delete;
    Pit& operator=(const Pit&) = delete;
    void start() { out8(regs::port::pit_channel2, pit_ticks >> 8); }
    bool done() const { return in8(regs::port::pit_gate) & 0x20; }

  private:
    std::uint8_t gate_;
};

struct Measurement {
    Frequencies by_pit, by_pm;  // zeros: not there
};

// About 5 ms. Without a PIT its output never rises, or is high at once (ports that nobody answers read ones).
Measurement measure() {
    Pit pit;
    lapic_write(regs::lapic::timer_initial, 0xffff'ffff);
    pit.start();
    const Moment start = read_moment();
    constexpr unsigned spins_max = 400'000;  // port reads; each takes about a microsecond on hardware
    unsigned spins = 0;
    bool pit_done = false, pm_done = false;
    const bool pit_absent = pit.done();
    while (!pit_done && !pm_done && spins < spins_max) {
        ++spins;
        pit_done = !pit_absent && pit.done();
        if (pit_absent || spins % 8 == 0)
            pm_done = machine.pm_timer_port && ((in32(machine.pm_timer_port) - start.pm) & pm_mask) >= 2 * pm_ticks;
        if (pit_absent && !machine.pm_timer_port) break;
    }
    const Moment end = read_moment();
    lapic_write(regs::lapic::timer_initial, 0);
    const std::uint64_t tsc = end.tsc - start.tsc, apic = start.apic - end.apic, pm = (end.pm - start.pm) & pm_mask;
    Measurement result;
    if (pit_done) result.by_pit = {tsc * pit_hz / pit_ticks, apic * pit_hz / pit_ticks};
    if (machine.pm_timer_port && pm >= pm_ticks / 2) result.by_pm = {tsc * pm_hz / pm, apic * pm_hz / pm};
    return result;
}

bool usable(const Frequencies& f) { return f.tsc_hz >= 1'000'000 && f.apic_hz >= 100'000; }

// Within 1 %.
bool agree(const Frequencies& a, const Frequencies& b) {
    const std::uint64_t apart = a.tsc_hz > b.tsc_hz ? a.tsc_hz - b.tsc_hz : b.tsc_hz - a.tsc_hz;
    return apart <= a.tsc_hz / 100;
}

// Whatever interferes (SMM, a hypervisor that runs something else) makes the PIT's wait look longer and the frequency
// higher; the other timer is read anew at the end and notices. So its word counts where it is there, once two agree:
// it and the PIT, or it and itself. Without it the PIT's least counts, once two agree.
Frequencies measured() {
    Frequencies last{}, least{};
    unsigned failed = 0;  // a wait that was interrupted for long looks like a PIT that is not there: asked again
    for (unsigned attempt = 0; attempt < 9; ++attempt) {
        const Measurement now = measure();
        const Frequencies found = usable(now.by_pm) ? now.by_pm : now.by_pit;
        if (!usable(found)) {
            if (++failed == 3) break;
            continue;
        }
        const bool confirmed = (usable(now.by_pm) && usable(now.by_pit) && agree(now.by_pm, now.by_pit)) ||
                               (usable(last) && agree(found, last));
        last = found;
        if (!usable(least) || found.tsc_hz < least.tsc_hz) least = found;
        if (confirmed) return usable(now.by_pm) ? found : least;
    }
    return least;
}

// Neither told nor measurable: the base frequency, or 1 GHz, so that time at least goes on.
Frequencies assumed() {
    std::uint64_t mhz = 1000;
    if (cpuid(regs::cpuid::leaf_basic).value[0] >= regs::cpuid::leaf_frequency) {
        const std::uint64_t base = cpuid(regs::cpuid::leaf_frequency).value[0] & 0xffff;
        if (base) mhz = base;
    }
    return {mhz * 1'000'000, 1'000'000'000};
}

}  // namespace

Frequencies find_frequencies() {
    const Frequencies told = from_cpuid();
    if (usable(told) && !machine.pm_timer_port) return told;
    const Frequencies found = measured();
    // What firmware or a hypervisor put into CPUID may be wrong; a measurement that was confirmed is not, by 1 %.
    if (usable(told) && (!usable(found) || agree(told, found))) return told;
    return usable(found) ? found : assumed();
}

}  // namespace hal::x86
