// SPDX-License-Identifier: MIT
// Sleep by MWAIT: a CPU that monitors its own request word is woken by the store that asks for something, without an
// interrupt (SDM 3A 9.10.4, APM3 MONITOR, MWAIT).
//
// The word has a bit for 'asleep', set before the monitor is armed, and one for 'wake', set only where 'asleep' is. The
// waker exchanges the word once: if it finds 'asleep' and leaves 'wake', the line is either monitored, and the store
// ends the sleep, or will be looked at once more before it begins. The sleeper takes both bits away in one exchange and
// then does what an interrupt would have done. Interrupts stay masked meanwhile; MWAIT is told to end at one that waits
// all the same (CPUID leaf 5), and STI then lets it in.
//
// Not every machine that announces all this keeps it: Bochs 2.7 misses the store of a CPU that has written to the page
// before. So MWAIT is used only after another CPU's store has been seen to end it, when that CPU starts; until then,
// and with one CPU, HLT does.
#include <arch/acpi.hpp>
#include <arch/apic.hpp>
#include <arch/processors.hpp>
#include <hal/cpu.hpp>
#include <hal/irq.hpp>
#include <hal/smp.hpp>
#include <hal/upcalls.hpp>

namespace hal {
namespace x86 {
namespace {

constexpr std::uint32_t asleep = request_asleep, wake = 1u << 30;

}  // namespace

bool wake_by_store(CpuIndex index) {
    std::uint32_t& word = requests[unsigned(index)].word;
    std::uint32_t now = __atomic_load_n(&word, __ATOMIC_RELAXED);
    while (now & asleep)
        if (__atomic_compare_exchange_n(&word, &now, now | wake, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            return true;
    return false;
}

namespace {

// Sets 'asleep' and waits for a store to the word or an interrupt, masked or not.
void wait_for_store(std::uint32_t& word) {
    constexpr std::uint32_t shallowest = 0, end_at_interrupt = 1;
    __atomic_fetch_or(&word, asleep, __ATOMIC_SEQ_CST);
    asm volatile("monitor" ::"a"(&word), "c"(0), "d"(0) : "memory");
    if (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == asleep)
        asm volatile("mwait" ::"a"(shallowest), "c"(end_at_interrupt) : "memory");
}

// One sleep of this CPU; serves what is wanted by then. True: it was woken by wake_by_store().
bool sleep_once() {
    std::uint32_t& word = requests[unsigned(cpu_index())].word;
    wait_for_store(word);
    const std::uint32_t before = __atomic_fetch_and(&word, ~(asleep | wake), __ATOMIC_SEQ_CST);
    if (before & ~(asleep | wake)) serve_requests();
    return before & wake;
}

// Between the boot CPU, which leads, and one that has just started.
constexpr std::uint32_t trial_rounds = 3, trial_over = ~std::uint32_t{0};
struct alignas(cache_line_bytes) Trial {
    std::uint32_t round = 0;  // the one to sleep in
    std::uint32_t done = 0;   // rounds slept through
};
constinit Trial trials[cpus_limit]{};  // by the CPU that has started

}  // namespace

void sleep_by_mwait() {
    if (sleep_once()) kernel_interrupt(Interrupt::wake, wake_vector);
    asm volatile("sti\n\tnop\n\tcli" ::: "memory");  // what waits comes in at the NOP (STI's shadow)
}

void mwait_trial_answer() {
    if (!features.mwait) return;
    Trial& trial = trials[unsigned(cpu_index())];
    for (std::uint32_t round = 1; round <= trial_rounds; ++round) {
        std::uint32_t now;
        while ((now = __atomic_load_n(&trial.round, __ATOMIC_ACQUIRE)) < round) relax();
        if (now == trial_over) return;
        sleep_once();
        __atomic_store_n(&trial.done, round, __ATOMIC_RELEASE);
    }
}

void mwait_trial(CpuIndex index) {
    if (!features.mwait) return;
    Trial& trial = trials[unsigned(index)];
    std::uint32_t& word = requests[unsigned(index)].word;
    std::uint32_t proven = 0;
    for (std::uint32_t round = 1; round <= trial_rounds; ++round) {
        const auto done = [&] { return __atomic_load_n(&trial.done, __ATOMIC_ACQUIRE) == round; };
        const auto sleeps = [&] { return __atomic_load_n(&word, __ATOMIC_RELAXED) & asleep; };
        // As a CPU that has written to the page before, and whose TLB knows so.
        invlpg(reinterpret_cast<std::uint64_t>(&word));
        __atomic_fetch_or(&word, 0u, __ATOMIC_SEQ_CST);
        __atomic_store_n(&trial.round, round, __ATOMIC_RELEASE);
        const bool slept = within_us(20'000, sleeps);
        within_us(20, [] { return false; });  // past MONITOR by now
        if (!slept || !wake_by_store(index) || !within_us(1'000, done)) break;
        proven = round;
    }
    __atomic_store_n(&trial.round, trial_over, __ATOMIC_RELEASE);
    if (proven == trial_rounds) return use_mwait();
    features.mwait = sleep_uses_mwait = false;
    const IrqGuard masked;
    lapic_send(machine.apic_ids[unsigned(index)], wake_vector | regs::lapic::icr_assert);  // ends its sleep, if any
}

}  // namespace x86
}  // namespace hal
