// SPDX-License-Identifier: MIT
// x86-64: the vector and x87 units switched off for all rings.
#pragma once
#include <arch/asm.hpp>

namespace hal {

inline constexpr bool vector_available_to_user = false;

// CR0.EM: x87 is #NM, MMX and SSE are #UD; CR4.OSFXSR and OSXSAVE clear: SSE and AVX are #UD (APM2 11.3, 8.2).
// CR0.TS stays clear: it would add nothing, and emulators disagree on which of the two wins.
inline void vector_init() {
    x86::write_cr0((x86::read_cr0() | regs::cr0::em) & ~(regs::cr0::ts | regs::cr0::mp));
    x86::write_cr4(x86::read_cr4() & ~(regs::cr4::osfxsr | regs::cr4::osxmmexcpt | regs::cr4::osxsave));
}

}  // namespace hal
