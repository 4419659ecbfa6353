// SPDX-License-Identifier: MIT
// What an interrupt was, for the kernel: entered by interrupt_entry on the CPU's interrupt stack.
#include <arch/apic.hpp>
#include <hal/cpu.hpp>
#include <hal/smp.hpp>
#include <hal/upcalls.hpp>

namespace hal {

extern "C" void hal_interrupt(unsigned vector) {
    using namespace x86;
    if (vector == spurious_vector) {  // not in service: no EOI (SDM 3A 11.9)
        kernel_interrupt(Interrupt::spurious, vector);
        return;
    }
    lapic_write(regs::lapic::eoi, 0);
    switch (vector) {
        case timer_vector:
            if (timer_due()) kernel_interrupt(Interrupt::timer, vector);
            return;
        case flush_vector:
            serve_requests();
            return;
        case wake_vector:
            kernel_interrupt(Interrupt::wake, vector);
            return;
        default:
            kernel_interrupt(Interrupt::other, vector);
    }
}

}  // namespace hal
