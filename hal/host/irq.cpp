// SPDX-License-Identifier: MIT
// Delivery of simulated interrupts, and sleeping until there is one.
#include <time.h>

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
    for (const Interrupt kind : {Interrupt::timer, Interrupt::other}) {
        if (!(cpu.pending & bit_of(kind))) continue;
        cpu.pending &= ~bit_of(kind);
        return kind;
    }
    cpu.pending = 0;
    return Interrupt::spurious;
}

}  // namespace

void poll_timer() {
    HostCpu& cpu = this_cpu();
    if (cpu.timer_deadline_ns == timer_off || now_ns() < cpu.timer_deadline_ns) return;
    cpu.timer_deadline_ns = timer_off;
    cpu.pending |= bit_of(Interrupt::timer);
}

// kernel_return_to_user may switch away and come back on another CPU: the block is looked up again each time.
[[gnu::noinline]] void deliver_interrupts() {
    while (this_cpu().pending) {
        HostCpu& cpu = this_cpu();
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
    if (!this_cpu().interrupts_on) return;
    poll_timer();
    if (this_cpu().pending) deliver_interrupts();
}

namespace {

void sleep_until(std::uint64_t deadline_ns) {
    const std::uint64_t now = now_ns();
    if (deadline_ns <= now) return;
    const std::uint64_t left = deadline_ns - now;
    const timespec pause{time_t(left / 1'000'000'000), long(left % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);  // early (a signal) or late: the caller looks at the clock
}

}  // namespace
}  // namespace host

void halt_until_interrupt() {
    for (;;) {
        host::poll_timer();
        if (host::this_cpu().pending) break;
        const std::uint64_t deadline_ns = host::this_cpu().timer_deadline_ns;
        if (deadline_ns == host::timer_off) host::fatal("halted with no timer armed and nothing pending: for ever");
        host::sleep_until(deadline_ns);
    }
    host::this_cpu().interrupts_on = 1;
    host::deliver_interrupts();
    irq_disable();
}

}  // namespace hal
