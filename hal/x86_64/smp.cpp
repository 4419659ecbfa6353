// SPDX-License-Identifier: MIT
// Other CPUs: started by INIT and start-up interrupts (SDM 3A 9.4), woken by interrupts.
//
// One word decides whether a CPU that was asked has come in time: the boot CPU writes 'offered, APIC id' into
// hal_cpu_offer; the CPU that has this id exchanges it for 'arrived' before it touches anything else (cpu_high in
// boot.S); the boot CPU, when it has waited long enough, exchanges it for nothing. Only one of the two succeeds. A CPU
// that comes too late finds no offer, or another's, and stops without a stack.
#include <arch/acpi.hpp>
#include <arch/apic.hpp>
#include <arch/internal.hpp>
#include <arch/processors.hpp>
#include <hal/context.hpp>
#include <hal/cpu.hpp>
#include <hal/irq.hpp>
#include <hal/smp.hpp>
#include <hal/upcalls.hpp>

namespace hal {

// What cpu_high reads; written before the offer.
extern "C" {
constinit std::uint64_t hal_cpu_offer = 0, hal_cpu_root = 0, hal_cpu_stack = 0;
constinit std::uint32_t hal_cpu_index = 0;
}

namespace x86 {

constinit std::uint32_t cpus_running = 1;

namespace {

constinit std::uint64_t trampoline_page = 0;  // physical
constinit std::uint32_t cpus_arrived = 1;     // a bit per CPU; the boot CPU's own knowledge, before they run

// Calls f with every page of the area that is no guard, until it answers false.
template <typename F>
bool each_page(CpuArea& area, F f) {
    const auto pages = [&](const auto& stack) {
        for (std::size_t at = 0; at < sizeof stack.usable; at += page_bytes)
            if (!f(VirtAddr(address_of(stack.usable) + at))) return false;
        return true;
    };
    if (!pages(area.tables) || !pages(area.boot) || !pages(area.stacks.interrupt)) return false;
    for (const auto& stack : area.stacks.special)
        if (!pages(stack)) return false;
    return true;
}

void unmap_area(unsigned cpu, TableFrames& frames) {
    each_page(cpu_area(cpu), [&](VirtAddr page) {
        PendingFlush gone = unmap(kernel_page_table(), page);
        if (!gone.empty()) frames.release(frames.self, flush(std::move(gone)));
        return true;
    });
}

// Zeroed pages, as the frames come.
bool map_area(unsigned cpu, TableFrames& frames) {
    const bool mapped = each_page(cpu_area(cpu), [&](VirtAddr page) {
        const PhysAddr frame = frames.allocate(frames.self);
        if (frame == no_frame) return false;
        if (map(kernel_page_table(), page, frame, Access::read | Access::write, frames) == MmuResult::ok) return true;
        frames.release(frames.self, frame);
        return false;
    });
    if (!mapped) unmap_area(cpu, frames);
    return mapped;
}

struct Patience {
    std::uint64_t after_init_us, after_startup_us, arrival_us;
};
// What hardware needs (SDM 3A 9.4.4.1). An emulator needs no pause, but its CPUs may have to wait for a real one.
Patience patience() {
    if (cpuid_has(regs::cpuid::hypervisor)) return {10, 200, 2'000'000};
    return {10'000, 200, 100'000};
}

bool arrived() { return __atomic_load_n(&hal_cpu_offer, __ATOMIC_ACQUIRE) >= HAL_CPU_ARRIVED; }

// INIT, then twice the start-up interrupt: the second is ignored by a CPU that runs already.
bool call_in(std::uint32_t apic_id) {
    using namespace regs::lapic;
    const Patience wait = patience();
    const IrqGuard masked;  // an interrupt's own command must not come between the halves of ours
    __atomic_store_n(&hal_cpu_offer, std::uint64_t{0}, __ATOMIC_SEQ_CST);  // from here on 'arrived' is this CPU's
    lapic_send(apic_id, icr_init | icr_assert);
    within_us(wait.after_init_us, arrived);
    // Only now: one that was asked in vain before, and comes just now, must not be reset after it has arrived.
    __atomic_store_n(&hal_cpu_offer, std::uint64_t{HAL_CPU_OFFERED} | apic_id, __ATOMIC_SEQ_CST);
    const auto startup = icr_startup | icr_assert | std::uint32_t(trampoline_page / page_bytes);
    lapic_send(apic_id, startup);
    if (within_us(wait.after_startup_us, arrived)) return true;
    lapic_send(apic_id, startup);
    if (within_us(wait.arrival_us, arrived)) return true;
    std::uint64_t offer = std::uint64_t{HAL_CPU_OFFERED} | apic_id;
    if (!__atomic_compare_exchange_n(&hal_cpu_offer, &offer, std::uint64_t{0}, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return true;                             // at the last moment
    lapic_send(apic_id, icr_init | icr_assert);  // back to sleep
    return false;
}

}  // namespace

bool cpu_running(unsigned cpu) { return __atomic_load_n(&cpus_running, __ATOMIC_RELAXED) >> cpu & 1; }

bool trampoline_init(std::span<const MemoryRange> memory) {
    constexpr std::uint64_t first = page_bytes, end = 0xa'0000;  // the first page is firmware's by tradition
    for (const MemoryRange& range : memory) {
        std::uint64_t top = range.start.value() + range.bytes;
        if (top > end) top = end;
        if (top < first + page_bytes || range.start.value() > top - page_bytes) continue;
        trampoline_page = top - page_bytes;
    }
    if (trampoline_page == 0) return false;
    __builtin_memcpy(phys_to_virt(PhysAddr(trampoline_page)), phys_to_virt(PhysAddr(address_of(cpu_trampoline))),
                     std::size_t(cpu_trampoline_end - cpu_trampoline));
    return true;
}

// On its boot stack, the kernel's tables loaded, interrupts off.
extern "C" [[noreturn]] void hal_cpu_arrived(unsigned cpu) {
    boot_header_init(CpuIndex(cpu));
    lapic_init();  // accepts requests from now on, though they wait until interrupts are on or relax() serves them
    __atomic_fetch_or(&cpus_running, 1u << cpu, __ATOMIC_SEQ_CST);
    activate(kernel_page_table());  // again: who changed an entry before the line above did not ask us to forget it
    clock_compare_answer();
    mwait_trial_answer();
    kernel_cpu_main(CpuIndex(cpu));
}

}  // namespace x86

bool cpu_start(CpuIndex index, TableFrames& frames) {
    const auto cpu = unsigned(index);
    if (cpu >= x86::machine.cpus || (x86::cpus_arrived >> cpu & 1)) return false;
    if (!x86::map_area(cpu, frames)) return false;
    const std::uint32_t id = x86::machine.apic_ids[cpu];
    hal_cpu_root = kernel_page_table().root.value();
    hal_cpu_stack = x86::address_of(x86::cpu_area(cpu).boot.top());
    hal_cpu_index = cpu;
    if (!x86::call_in(id)) {
        x86::unmap_area(cpu, frames);
        return false;
    }
    x86::cpus_arrived |= 1u << cpu;
    x86::clock_compare_ask(index);
    x86::mwait_trial(index);
    return true;
}

void send_interrupt(CpuIndex index, Interrupt) {
    if (x86::wake_by_store(index)) return;
    x86::lapic_send(x86::machine.apic_ids[unsigned(index)], x86::wake_vector | regs::lapic::icr_assert);
}

}  // namespace hal
