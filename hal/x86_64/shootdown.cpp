// SPDX-License-Identifier: MIT
// TLB shootdown: a translation that was taken away is forgotten by every CPU that may hold it before its frame is used
// again.
//
// Who is asked. For the kernel half every CPU that runs; for the user half those that have noted the table's root as
// active. The note is enough: activate() stores it and then loads CR3, which is serialising and so waits until the
// store is visible (SDM 3A 8.3). flush() comes after the locked exchange that changed the entry, a full barrier, and
// then reads the notes. If it reads an older note, the newer one became visible later than the changed entry did, and
// every walk after that CPU's CR3 load sees the change. A CPU that has just noted another table and not loaded it yet
// only runs kernel code until it does. A CPU that starts reloads CR3 after it has announced itself: the same argument.
//
// How. One slot a CPU that asks: the page, and a bit for each CPU that has not answered. One word a CPU that is asked:
// a bit for each CPU that asks it. It answers from the interrupt, or from relax() while interrupts are masked; since
// whoever waits here relaxes, two CPUs that ask one another both get their answers.
#include <arch/acpi.hpp>
#include <arch/apic.hpp>
#include <arch/processors.hpp>
#include <bit>
#include <hal/cpu.hpp>
#include <hal/irq.hpp>
#include <hal/smp.hpp>
#include <regs/page_table.hpp>

namespace hal {
namespace x86 {

constinit Requests requests[cpus_limit]{};

namespace {

struct alignas(cache_line_bytes) Slot {
    std::uint64_t page = 0;
    std::uint32_t unanswered = 0;  // bit per CPU
};
constinit Slot slots[cpus_limit]{};

const PerCpuHeader* header_of(unsigned cpu) { return __atomic_load_n(&headers[cpu], __ATOMIC_RELAXED); }

bool may_hold(unsigned cpu, VirtAddr page, PhysAddr root) {
    if (page.value() >= regs::paging::kernel_start) return true;
    return __atomic_load_n(&header_of(cpu)->active_root, __ATOMIC_RELAXED) == root.value();
}

template <typename F>
void each_bit(std::uint32_t bits, F f) {
    for (; bits; bits &= bits - 1) f(unsigned(std::countr_zero(bits)));
}

}  // namespace

void flush_others(VirtAddr page, PhysAddr root) {
    const IrqGuard masked;  // the slot is ours alone
    const auto self = unsigned(cpu_index());
    std::uint32_t asked = 0;
    each_bit(__atomic_load_n(&cpus_running, __ATOMIC_RELAXED) & ~(1u << self), [&](unsigned cpu) {
        if (may_hold(cpu, page, root)) asked |= 1u << cpu;
    });
    if (!asked) return;
    Slot& slot = slots[self];
    slot.page = page.value();
    __atomic_store_n(&slot.unanswered, asked, __ATOMIC_RELAXED);
    each_bit(asked, [&](unsigned cpu) {
        // If others have asked already, their interrupt is on its way and not served yet: it will find our bit too. One
        // that sleeps by MWAIT is woken by the store.
        if (__atomic_fetch_or(&requests[cpu].word, 1u << self, __ATOMIC_SEQ_CST) == 0)
            lapic_send(machine.apic_ids[cpu], flush_vector | regs::lapic::icr_assert);
    });
    while (__atomic_load_n(&slot.unanswered, __ATOMIC_ACQUIRE)) relax();
}

}  // namespace x86

void serve_requests() {
    const auto self = unsigned(cpu_index());
    const std::uint32_t from = __atomic_exchange_n(&x86::requests[self].word, 0u, __ATOMIC_SEQ_CST);
    x86::each_bit(from, [&](unsigned cpu) {
        x86::invlpg(x86::slots[cpu].page);
        __atomic_fetch_and(&x86::slots[cpu].unanswered, ~(1u << self), __ATOMIC_SEQ_CST);
    });
}

}  // namespace hal
