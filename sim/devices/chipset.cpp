// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/devices/chipset.hpp>

#include <regs/pc.hpp>

namespace sim {

namespace {
constexpr unsigned timer_irq = 0, uart_irq = 4, uart_ports = 8;
constexpr std::uint16_t keyboard_command = 0x64, fast_reset = 0x92, reset_control = 0xcf9, level_control = 0x4d0;
constexpr std::uint8_t pulse_reset = 0xfe;  // to the keyboard controller: lowers the reset line

bool is_uart(std::uint16_t port) { return port >= regs::port::com1 && port < regs::port::com1 + uart_ports; }
}  // namespace

std::uint8_t Chipset::read(std::uint16_t port, std::uint64_t now_ticks) {
    if (is_uart(port)) {
        const std::uint8_t value = uart.read(port - regs::port::com1);
        pics_.set_line(uart_irq, uart.interrupt());
        return value;
    }
    if (timed(port)) advance(now_ticks);
    if (PicPair::owns(port)) return pics_.read(port);
    if (Pit::owns(port)) return pit_.read(port, now_ticks);
    if (Rtc::owns(port)) return rtc_.read(port);
    if ((port & ~1u) == level_control) return 0;  // every interrupt input by edges
    if (port == fast_reset) return 2;             // address line 20 is there
    return 0xff;
}

void Chipset::write(std::uint16_t port, std::uint8_t value, std::uint64_t now_ticks) {
    if (is_uart(port)) {
        uart.write(port - regs::port::com1, value);
        pics_.set_line(uart_irq, uart.interrupt());
        return;
    }
    if (timed(port)) advance(now_ticks);
    if (PicPair::owns(port)) pics_.write(port, value);
    if (Pit::owns(port)) pit_.write(port, value, now_ticks);
    if (Rtc::owns(port)) rtc_.write(port, value);
    const bool resets = (port == keyboard_command && value == pulse_reset) || (port == fast_reset && value & 1) ||
                        (port == reset_control && value & 4);
    if (resets && !reset_port_) reset_port_ = port;
}

void Chipset::advance(std::uint64_t now_ticks) {
    if (pit_.take_rise(now_ticks)) {
        pics_.set_line(timer_irq, false);
        pics_.set_line(timer_irq, true);
    }
    pics_.set_line(timer_irq, pit_.output(now_ticks));
}

// Only an edge that would reach the CPU is worth waiting for.
std::uint64_t Chipset::deadline_ticks() const {
    PicPair then = pics_;
    then.set_line(timer_irq, false);
    then.set_line(timer_irq, true);
    return then.requests() ? pit_.next_rise_ticks() : Pit::never;
}

}  // namespace sim
