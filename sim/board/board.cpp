// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/board/board.hpp>

#include <regs/pc.hpp>
#include <sim/board/text.hpp>

namespace sim {

namespace {
constexpr std::uint64_t ram_least = 16ull << 20, ram_most = 3ull << 30;  // up to the hole for devices below 4 GiB
constexpr std::uint16_t pci_address = 0xcf8;
constexpr std::string_view shutdown_text = "Shutdown";

std::uint64_t checked_ram(std::uint64_t bytes) {
    if (bytes < ram_least || bytes > ram_most || bytes % 4096)
        throw EngineError(
            text("the board takes 16 to 3072 MiB of RAM in pages of 4 KiB, not %llu bytes", (unsigned long long)bytes));
    return bytes;
}
}  // namespace

Board::Board(const RunConfig& config) : memory(checked_ram(config.ram_bytes)), chipset(config.console) {
    for (unsigned i = 0; i < config.cpus; ++i)
        apics.emplace_back(std::uint8_t(i), config.jitter ? std::optional(config.seed + i) : std::nullopt);
    apics[0].connect(chipset);
}

bool Board::send_messages(unsigned cpu, std::uint64_t now_ticks) {
    const auto command = apics[cpu].take_command();
    if (!command) return false;
    const bool everyone = command->shorthand != LocalApic::Shorthand::none;
    for (unsigned to = 0; to < apics.size(); ++to) {
        const bool meant = everyone || apics[to].is_destination(command->logical, command->destination);
        // Itself has had its interrupt at once; INIT comes here for it, too.
        const bool itself = command->message.delivery == LocalApic::Delivery::init &&
                            command->shorthand != LocalApic::Shorthand::others;
        if (meant && (to != cpu || itself)) apics[to].post(command->message, now_ticks + message_ticks);
    }
    return true;
}

// The bytes of "Shutdown", one after the other, to one port.
void Board::watch_shutdown(std::uint8_t value) {
    shutdown_matched_ = value == std::uint8_t(shutdown_text[shutdown_matched_]) ? shutdown_matched_ + 1
                        : value == std::uint8_t(shutdown_text[0])               ? 1
                                                                                : 0;
    if (shutdown_matched_ < shutdown_text.size()) return;
    shutdown_matched_ = 0;
    if (!power_off_) power_off_ = PowerOff{StopReason::power_off, 0, "the guest switched the power off"};
}

std::uint32_t Board::read_port(std::uint16_t port, unsigned bytes, std::uint64_t now_ticks) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < bytes; ++i)
        value |= std::uint32_t{chipset.read(std::uint16_t(port + i), now_ticks)} << (8 * i);
    return value;
}

bool Board::write_port(std::uint16_t port, unsigned bytes, std::uint32_t value, std::uint64_t now_ticks) {
    if (port == regs::port::debug_exit) {  // takes any width; the low byte counts
        const auto code = std::uint8_t(value);
        const bool success = code == regs::debug_exit::success;
        if (!power_off_)
            power_off_ =
                PowerOff{success ? StopReason::power_off : StopReason::guest_failed, code,
                         success ? "the guest switched the power off"
                                 : text("the guest switched the power off and reports failure (code %#x)", code)};
        return true;
    }
    if (port == pci_address && bytes == 4) return false;  // of PCI's configuration space; its bytes are other registers
    for (unsigned i = 0; i < bytes; ++i) {
        const auto at = std::uint16_t(port + i);
        const auto byte = std::uint8_t(value >> (8 * i));
        if (at == regs::port::bochs_shutdown) watch_shutdown(byte);
        else chipset.write(at, byte, now_ticks);
    }
    if (const auto at = chipset.reset_port(); at && !power_off_)
        power_off_ = PowerOff{StopReason::reset, 0, text("the guest asked for a reset at port %#x", *at)};
    return power_off_ || chipset.requests() || Chipset::timed(port);
}

}  // namespace sim
