// SPDX-License-Identifier: MIT
// x86-64: the interrupt flag.
#pragma once
#include <cstdint>
#include <regs/control.hpp>

namespace hal {

struct IrqState {
    bool enabled;
};

inline bool irq_enabled() {
    std::uint64_t flags;
    asm volatile("pushfq\n\tpopq %0" : "=r"(flags)::"memory");
    return flags & regs::rflags::interrupts;
}
inline void irq_enable() { asm volatile("sti" ::: "memory"); }
inline void irq_disable() { asm volatile("cli" ::: "memory"); }
inline IrqState irq_save() {
    const IrqState before{irq_enabled()};
    irq_disable();
    return before;
}
inline void irq_restore(IrqState before) {
    if (before.enabled) irq_enable();
    else asm volatile("" ::: "memory");
}

}  // namespace hal
