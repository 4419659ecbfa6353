// SPDX-License-Identifier: MIT
// The 16550 at COM1: 115200 baud, 8 data bits, no parity. A machine without one costs a bounded spin a byte.
#include <arch/asm.hpp>
#include <hal/console.hpp>
#include <hal/cpu.hpp>
#include <regs/pc.hpp>

namespace hal {
namespace {

using regs::port::com1;
constexpr std::uint16_t data = com1, interrupt_enable = com1 + 1, fifo_control = com1 + 2, line_control = com1 + 3,
                        modem_control = com1 + 4, line_status = com1 + 5;
constexpr std::uint8_t divisor_latch = 0x80, eight_bits = 0x03, transmit_ready = 0x20;
constexpr unsigned spins_max = 100'000;  // a byte takes 87 us at 115200 baud

void put(char c) {
    for (unsigned spin = 0; !(x86::in8(line_status) & transmit_ready) && spin < spins_max; ++spin) relax();
    x86::out8(data, std::uint8_t(c));
}

}  // namespace

void console_init() {
    x86::out8(interrupt_enable, 0);  // polled
    x86::out8(line_control, divisor_latch);
    x86::out8(data, 1);              // divisor 1: 115200 baud
    x86::out8(interrupt_enable, 0);  // high half of the divisor
    x86::out8(line_control, eight_bits);
    x86::out8(fifo_control, 0x07);   // FIFO on and empty
    x86::out8(modem_control, 0x03);  // DTR, RTS
}

void console_write(std::string_view text) {
    for (const char c : text) {
        if (c == '\n') put('\r');
        put(c);
    }
}

}  // namespace hal
