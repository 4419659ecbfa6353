// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/board/board.hpp>

#include <regs/pc.hpp>
#include <sim/board/text.hpp>

namespace sim {

namespace {
constexpr std::uint64_t ram_least = 16ull << 20, ram_most = 3ull << 30;  // up to the hole for devices below 4 GiB
constexpr std::string_view shutdown_text = "Shutdown";
constexpr unsigned uart_ports = 8;

std::uint64_t checked_ram(std::uint64_t bytes) {
    if (bytes < ram_least || bytes > ram_most || bytes % 4096)
        throw EngineError(
            text("the board takes 16 to 3072 MiB of RAM in pages of 4 KiB, not %llu bytes", (unsigned long long)bytes));
    return bytes;
}
}  // namespace

Board::Board(const RunConfig& config)
    : memory(checked_ram(config.ram_bytes)),
      apic(config.jitter ? std::optional(config.seed) : std::nullopt),
      uart(config.console) {}

std::uint8_t Board::read_byte(std::uint16_t port) {
    if (port >= regs::port::com1 && port < regs::port::com1 + uart_ports) return uart.read(port - regs::port::com1);
    return 0xff;
}

void Board::write_byte(std::uint16_t port, std::uint8_t value) {
    if (port >= regs::port::com1 && port < regs::port::com1 + uart_ports) {
        uart.write(port - regs::port::com1, value);
    } else if (port == regs::port::bochs_shutdown) {
        shutdown_matched_ = value == std::uint8_t(shutdown_text[shutdown_matched_]) ? shutdown_matched_ + 1
                            : value == std::uint8_t(shutdown_text[0])               ? 1
                                                                                    : 0;
        if (shutdown_matched_ < shutdown_text.size()) return;
        shutdown_matched_ = 0;
        if (!power_off_) power_off_ = PowerOff{StopReason::power_off, 0};
    }
}

std::uint32_t Board::read_port(std::uint16_t port, unsigned bytes) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) value |= std::uint32_t{read_byte(std::uint16_t(port + i))} << (8 * i);
    return value;
}

void Board::write_port(std::uint16_t port, unsigned bytes, std::uint32_t value) {
    if (port == regs::port::debug_exit) {  // takes any width; the low byte counts
        const auto code = std::uint8_t(value);
        if (!power_off_)
            power_off_ =
                PowerOff{code == regs::debug_exit::success ? StopReason::power_off : StopReason::guest_failed, code};
        return;
    }
    for (unsigned i = 0; i < bytes; ++i) write_byte(std::uint16_t(port + i), std::uint8_t(value >> (8 * i)));
}

}  // namespace sim
