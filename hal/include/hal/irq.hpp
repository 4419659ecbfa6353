// SPDX-License-Identifier: MIT
// Interrupt masking of this CPU as a scope.
//
//   IrqState irq_save()             Masks interrupts, returns the state before. Any context; ~10 cycles.
//   void irq_restore(IrqState)      Back to that state. Scopes nest strictly.
//   bool irq_enabled()
//   void irq_enable(), irq_disable()  For start-up and the idle loop only; elsewhere use IrqGuard.
#pragma once
#include <arch/irq.hpp>

namespace hal {

// Interrupts stay masked while one of these lives. Never held across a switch to a thread that expects them on.
class IrqGuard {
  public:
    IrqGuard() : saved_(irq_save()) {}
    ~IrqGuard() { irq_restore(saved_); }
    IrqGuard(const IrqGuard&) = delete;
    IrqGuard& operator=(const IrqGuard&) = delete;

  private:
    IrqState saved_;
};

}  // namespace hal
