// SPDX-License-Identifier: MIT
// Interrupts are a flag and a word of pending ones, which other CPUs may set too. Handlers run where the kernel looks:
// at relax, at halt, when the flag goes on, and around a system call. The timer's deadline is compared with the clock
// at relax, irq_enable, halt and system calls only, so irq_restore stays a few cycles.
#pragma once
#include <arch/cpu.hpp>

namespace hal {

enum class IrqState : std::uint32_t { off = 0, on = 1 };

inline IrqState irq_save() {
    std::uint32_t before;
    asm volatile("movl %%gs:16, %0\n\tmovl $0, %%gs:16" : "=r"(before)::"memory");
    return IrqState(before);
}

inline void irq_restore(IrqState state) {
    if (state == IrqState::off) {
        asm volatile("movl $0, %%gs:16" ::: "memory");
        return;
    }
    std::uint32_t pending;
    asm volatile("movl $1, %%gs:16\n\tmovl %%gs:20, %0" : "=r"(pending)::"memory");
    if (pending) host::deliver_interrupts();
}

inline bool irq_enabled() {
    std::uint32_t on;
    asm volatile("movl %%gs:16, %0" : "=r"(on)::"memory");
    return on != 0;
}

inline void irq_enable() {
    asm volatile("movl $1, %%gs:16" ::: "memory");
    host::poll_interrupts();
}

inline void irq_disable() { asm volatile("movl $0, %%gs:16" ::: "memory"); }

}  // namespace hal
