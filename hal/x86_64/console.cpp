// SPDX-License-Identifier: MIT
// The console: the 16550 at COM1 (115200 baud, 8 data bits, no parity) and the screen, each where there is one. A
// machine without a UART costs one port read a call, one whose UART takes nothing any more a bounded spin once.
#include <arch/asm.hpp>
#include <arch/internal.hpp>
#include <arch/screen.hpp>
#include <hal/console.hpp>
#include <hal/cpu.hpp>
#include <regs/pc.hpp>

namespace hal {
namespace {

using regs::port::com1;
constexpr std::uint16_t data = com1, interrupt_enable = com1 + 1, fifo_control = com1 + 2, line_control = com1 + 3,
                        modem_control = com1 + 4, line_status = com1 + 5;
constexpr std::uint8_t divisor_latch = 0x80, eight_bits = 0x03;
constexpr std::uint8_t data_ready = 0x01, transmit_ready = 0x20, nothing_there = 0xff;  // line status
constexpr unsigned spins_max = 100'000;  // a byte takes 87 us at 115200 baud, a port read about 1 us

constinit bool uart_stuck = false;

// False: the byte was not taken.
bool put(char c) {
    for (unsigned spin = 0; !(x86::in8(line_status) & transmit_ready); ++spin) {
        if (spin == spins_max || uart_stuck) {
            uart_stuck = true;
            return false;
        }
        relax();
    }
    uart_stuck = false;
    x86::out8(data, std::uint8_t(c));
    return true;
}

void uart_write(std::string_view text) {
    if (x86::in8(line_status) == nothing_there) return;
    for (const char c : text) {
        if (c == '\n' && !put('\r')) return;
        if (!put(c)) return;
    }
}

// Where the screen is seen before mmu_init.
std::byte* early_screen() {
    const x86::ScreenShape& shape = x86::screen_shape();
    if (shape.bytes() == 0 || shape.physical + shape.bytes() > x86::early_limit) return nullptr;
    return reinterpret_cast<std::byte*>(shape.physical + std::uint64_t{HAL_DIRECT_MAP});
}

}  // namespace

void console_init() {
    if (x86::in8(line_status) != nothing_there) {
        x86::out8(interrupt_enable, 0);  // polled
        x86::out8(line_control, divisor_latch);
        x86::out8(data, 1);              // divisor 1: 115200 baud
        x86::out8(interrupt_enable, 0);  // high half of the divisor
        x86::out8(line_control, eight_bits);
        x86::out8(fifo_control, 0x07);   // FIFO on and empty
        x86::out8(modem_control, 0x03);  // DTR, RTS
    }
    static constinit bool screen_known = false;  // hal_start and the kernel both call
    if (!screen_known) x86::screen_init(early_screen());
    screen_known = true;
}

void console_write(std::string_view text) {
    uart_write(text);
    x86::screen_write(text);
}

int console_read() {
    const std::uint8_t status = x86::in8(line_status);
    if (status == nothing_there || !(status & data_ready)) return x86::keyboard_read();
    const std::uint8_t c = x86::in8(data);
    return c == '\r' ? '\n' : c;
}

}  // namespace hal
