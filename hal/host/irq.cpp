// SPDX-License-Identifier: MIT
// Delivery of simulated interrupts, and sleeping until there is one.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <hal/irq.hpp>
#include <hal/timer.hpp>
#include <hal/upcalls.hpp>

#include "state.hpp"

namespace hal {
namespace host {
namespace {

constexpr std::uint32_t bit_of(Interrupt kind) { return 1u << unsigned(kind); }

// Takes one pending interrupt, the timer first.
Interrupt take_pending(HostCpu& cpu) {
    const std::uint32_t pending = cpu.pending.load(std::memory_order_relaxed);
    for (const Interrupt kind : {Interrupt::timer, Interrupt::wake, Interrupt::other}) {
        if (!(pending & bit_of(kind))) continue;
        cpu.pending.fetch_and(~bit_of(kind), std::memory_order_acquire);
        return kind;
    }
    cpu.pending.fetch_and(pending_end, std::memory_order_acquire);
    return Interrupt::spurious;
}

bool any_pending(const HostCpu& cpu) { return cpu.pending.load(std::memory_order_relaxed) != 0; }
void leave_if_ended(const HostCpu& cpu) {
    if (cpu.pending.load(std::memory_order_relaxed) & pending_end) [[unlikely]]
        leave_machine();
}

}  // namespace

void poll_timer() {
    HostCpu& cpu = this_cpu();
    if (cpu.timer_deadline_ns == timer_off || now_ns() < cpu.timer_deadline_ns) return;
    cpu.timer_deadline_ns = timer_off;
    cpu.pending.fetch_or(bit_of(Interrupt::timer), std::memory_order_relaxed);
}

// kernel_return_to_user may switch away and come back on another CPU: the block is looked up again each time.
[[gnu::noinline]] void deliver_interrupts() {
    while (any_pending(this_cpu())) {
        HostCpu& cpu = this_cpu();
        leave_if_ended(cpu);
        const bool from_user = cpu.in_user;
        cpu.interrupts_on = 0;
        cpu.in_user = 0;
        const Interrupt kind = take_pending(cpu);
        kernel_interrupt(kind, kind == Interrupt::timer ? 0 : cpu.vector);
        if (from_user) kernel_return_to_user();
        this_cpu().in_user = from_user;
        this_cpu().interrupts_on = 1;
    }
}

void poll_interrupts() {
    leave_if_ended(this_cpu());
    if (!this_cpu().interrupts_on) return;
    poll_timer();
    if (any_pending(this_cpu())) deliver_interrupts();
}

namespace {

// CPUs that sleep with no timer armed. Only another CPU can wake one, so all of them together sleep for ever.
constinit std::atomic<unsigned> asleep_for_good = 0;

bool nobody_is_left() {
    if (asleep_for_good.load(std::memory_order_seq_cst) < running_cpus()) return false;
    for (unsigned i = 0; i < running_cpus(); ++i)
        if (cpu_block(CpuIndex(i)).pending.load(std::memory_order_seq_cst) != 0) return false;
    return true;
}

// Until the word changes from 0, at most `left`; null: for good.
void sleep_while_nothing(HostCpu& cpu, const timespec* left) {
    auto* word = reinterpret_cast<std::uint32_t*>(&cpu.pending);
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, left, nullptr, 0);  // early or late: the caller looks again
}

void sleep_for_good(HostCpu& cpu) {
    asleep_for_good.fetch_add(1, std::memory_order_seq_cst);
    const bool for_ever = nobody_is_left();
    if (!for_ever) sleep_while_nothing(cpu, nullptr);
    asleep_for_good.fetch_sub(1, std::memory_order_seq_cst);
    if (for_ever) fatal("halted with no timer armed and nothing pending: for ever");
}

void sleep_until(HostCpu& cpu, std::uint64_t deadline_ns) {
    const std::uint64_t now = now_ns();
    if (deadline_ns <= now) return;
    const std::uint64_t left = deadline_ns - now;
    const timespec pause{time_t(left / 1'000'000'000), long(left % 1'000'000'000)};
    sleep_while_nothing(cpu, &pause);
}

}  // namespace
}  // namespace host

void halt_until_interrupt() {
    host::HostCpu& cpu = host::this_cpu();
    for (;;) {
        host::poll_timer();
        if (host::any_pending(cpu)) break;
        if (cpu.timer_deadline_ns == host::timer_off) host::sleep_for_good(cpu);
        else host::sleep_until(cpu, cpu.timer_deadline_ns);
    }
    host::this_cpu().interrupts_on = 1;
    host::deliver_interrupts();
    irq_disable();
}

}  // namespace hal
