// SPDX-License-Identifier: MIT
// What the backend calls. The kernel implements each exactly once.
#pragma once
#include <hal/boot_info.hpp>
#include <hal/trap.hpp>
#include <hal/user.hpp>

namespace hal {

// wake: from another CPU's send_interrupt.
enum class Interrupt : std::uint8_t { timer, spurious, other, wake };

extern "C" {
// The boot CPU, on the boot stack, interrupts off, console and early tables ready. Never returns.
[[noreturn]] void kernel_main(const BootInfo&);

// Another CPU that cpu_start started, on its own boot stack, interrupts off, kernel tables active; cpu_init,
// per_cpu_set, vector_init and timer_init of that CPU are the kernel's to call. Never returns.
[[noreturn]] void kernel_cpu_main(CpuIndex);

// An exception, interrupts off, on the stack the CPU chose (an IST stack for #DF, NMI, #MC, #DB). May return only for a
// user fault that was answered or a kernel fault with a fix-up.
void kernel_trap(TrapFrame&);

// A device interrupt, acknowledged already, on the CPU's interrupt stack, interrupts off. Never blocks, allocates or
// switches.
void kernel_interrupt(Interrupt, unsigned vector);

// A system call, on the thread's kernel stack, interrupts off.
void kernel_syscall(UserFrame&);

// On the way out to ring 3, on the thread's kernel stack, interrupts off: after every interrupt and exception, and
// after a system call if PerCpuHeader::work_pending is set. The place where a preempted thread is switched away or a
// killed one ends.
void kernel_return_to_user();
}

}  // namespace hal
