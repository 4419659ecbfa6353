// SPDX-License-Identifier: GPL-2.0-or-later
// The board: RAM, one local APIC, a 16550 at COM1 and two power-off ports. A subset of a PC: ports that are not there
// read all ones and ignore writes, as on a bus where nobody answers.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <sim/board/memory.hpp>
#include <sim/devices/local_apic.hpp>
#include <sim/devices/uart.hpp>
#include <sim/engine.hpp>
#include <string_view>

namespace sim {

struct PowerOff {
    StopReason reason;  // power_off or guest_failed
    std::uint8_t code;  // what was written
};

class Board {
  public:
    explicit Board(const RunConfig&);  // throws EngineError: RAM size out of range, or not available

    Memory memory;
    LocalApic apic;
    Uart uart;

    // `bytes`: 1, 2 or 4. Wider accesses to byte-wide devices reach consecutive ports.
    std::uint32_t read_port(std::uint16_t port, unsigned bytes);
    void write_port(std::uint16_t port, unsigned bytes, std::uint32_t value);
    const std::optional<PowerOff>& power_off() const { return power_off_; }

  private:
    std::uint8_t read_byte(std::uint16_t port);
    void write_byte(std::uint16_t port, std::uint8_t value);

    std::optional<PowerOff> power_off_;
    unsigned shutdown_matched_ = 0;  // bytes of "Shutdown" seen in a row at bochs_shutdown
};

}  // namespace sim
