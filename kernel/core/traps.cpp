// SPDX-License-Identifier: MIT
// Where exceptions and interrupts enter the kernel's own code.
#include <core/log.hpp>
#include <core/panic.hpp>
#include <core/process.hpp>
#include <hal/upcalls.hpp>
#include <sched/scheduler.hpp>

namespace {

using namespace exo;

// Our own affair, wherever it struck: nobody in ring 3 can cause these.
bool concerns_the_machine(hal::TrapKind kind) {
    return kind == hal::TrapKind::double_fault || kind == hal::TrapKind::nmi || kind == hal::TrapKind::machine_check;
}

void kill_current(const hal::TrapInfo& info) {
    const Process& process = *this_cpu().current->process;
    if (info.kind == hal::TrapKind::page_fault)
        log("process {} killed: {} at {:#x}, address {:#x}\n", process.name(), info.name, info.instruction,
            info.fault_address.value());
    else log("process {} killed: {} at {:#x}\n", process.name(), info.name, info.instruction);
    Process::exit_current(-1, true);
}

}  // namespace

extern "C" void hal::kernel_trap(hal::TrapFrame& frame) {
    const hal::TrapInfo info = hal::trap_info(frame);
    if (concerns_the_machine(info.kind)) panic_trap(frame, info);
    if (info.from_user) return kill_current(info);
    if (!hal::trap_fixup(frame)) panic_trap(frame, info);
}

extern "C" void hal::kernel_interrupt(hal::Interrupt interrupt, unsigned) {
    if (interrupt == hal::Interrupt::timer) return timer_expired();
    if (interrupt != hal::Interrupt::wake) return;
    panic_stop_if_elsewhere();
    take_mail();
}

extern "C" void hal::kernel_return_to_user() { preempt_if_needed(); }
