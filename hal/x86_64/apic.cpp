// SPDX-License-Identifier: MIT
// The local APIC of each CPU: its mode, its masks, and what it sends.
#include <arch/apic.hpp>
#include <hal/cpu.hpp>

namespace hal::x86 {

constinit bool x2apic_mode = false;
std::uint64_t lapic_registers =
    std::uint64_t{HAL_DIRECT_MAP} + regs::lapic::default_base;  // early map; then mmu_init's

namespace {

using namespace regs;

// Disabled to x2APIC is not a transition; enabled to x2APIC is (SDM 3A 11.12.5). INIT keeps the mode.
void enter_mode() {
    using namespace lapic;
    const std::uint64_t base = rdmsr(msr::apic_base);
    if (cpu_index() == CpuIndex::boot) x2apic_mode = features.x2apic || (base & base_x2apic);
    if (!x2apic_mode || (base & base_x2apic)) return;
    if (!(base & base_enabled)) wrmsr(msr::apic_base, base | base_enabled);
    wrmsr(msr::apic_base, base | base_enabled | base_x2apic);
}

}  // namespace

// Firmware's base, or the one after a reset where nothing has a register for it.
std::uint64_t lapic_physical() {
    const std::uint64_t base = rdmsr(msr::apic_base) & lapic::base_address;
    return base ? base : lapic::default_base;
}

void lapic_init() {
    using namespace lapic;
    enter_mode();
    lapic_write(tpr, 0);
    lapic_write(lvt_lint0, lvt_masked);
    lapic_write(lvt_error, lvt_masked);
    lapic_write(lvt_timer, lvt_masked | timer_vector);
    lapic_write(spurious, spurious_enable | spurious_vector);
}

void lapic_send(std::uint32_t apic_id, std::uint32_t command) {
    using namespace lapic;
    if (x2apic_mode) {
        // Unlike a store to the xAPIC page, WRMSR waits for nothing here: what was stored before has to be visible to
        // the other CPU when it is interrupted (SDM 3A 11.12.3).
        asm volatile("mfence\n\tlfence" ::: "memory");
        wrmsr(x2apic_msr(icr_low), std::uint64_t(apic_id) << 32 | command);
        return;
    }
    // The one before has left long ago, as a rule. One that never leaves is given up.
    constexpr unsigned spins_max = 100'000;
    for (unsigned spin = 0; (lapic_read(icr_low) & icr_pending) && spin < spins_max; ++spin) relax();
    lapic_write(icr_high, apic_id << 24);
    lapic_write(icr_low, command);
}

}  // namespace hal::x86
