// SPDX-License-Identifier: MIT
// The end of a run, by every emulator's own door: QEMU and the board listen on the debug-exit port, Bochs on 0x8900.
#include <arch/asm.hpp>
#include <hal/cpu.hpp>
#include <hal/power.hpp>
#include <regs/pc.hpp>
#include <string_view>

namespace hal {

void power_off(PowerOff how) {
    constexpr std::uint8_t transmitter_empty = 0x40;  // FIFO and shift register: nothing is lost
    for (unsigned spin = 0; !(x86::in8(regs::port::com1 + 5) & transmitter_empty) && spin < 1'000'000; ++spin) relax();
    x86::out8(regs::port::debug_exit, how == PowerOff::success ? regs::debug_exit::success : regs::debug_exit::failure);
    for (const char c : std::string_view("Shutdown")) x86::out8(regs::port::bochs_shutdown, std::uint8_t(c));
    for (;;) asm volatile("cli\n\thlt");
}

}  // namespace hal
