// SPDX-License-Identifier: GPL-2.0-or-later
// The board: RAM, a local APIC for each CPU, the old devices of a PC (Chipset) and two power-off ports. A subset of a
// PC: ports that are not there read all ones and ignore writes, as on a bus where nobody answers.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <sim/board/memory.hpp>
#include <sim/devices/chipset.hpp>
#include <sim/devices/local_apic.hpp>
#include <sim/engine.hpp>
#include <string>

namespace sim {

struct PowerOff {
    StopReason reason;   // power_off, guest_failed or reset
    std::uint8_t code;   // what was written
    std::string detail;  // for people
};

class Board {
  public:
    // From the write to the interrupt command register until the other CPU sees the interrupt: an estimate, about a
    // third of a microsecond. No less than a CPU may run ahead of another, so that it is exact.
    static constexpr std::uint64_t message_ticks = 1000;

    explicit Board(const RunConfig&);  // throws EngineError: RAM size out of range, or not available

    Memory memory;
    std::deque<LocalApic> apics;  // by CPU; its number is its APIC id
    Chipset chipset;

    // `bytes`: 1, 2 or 4. Wider accesses to byte-wide devices reach consecutive ports. `now_ticks` counts only for
    // ports of which Chipset::timed is true.
    std::uint32_t read_port(std::uint16_t port, unsigned bytes, std::uint64_t now_ticks);
    // True: the run may have ended, or an interrupt may be there or due earlier.
    bool write_port(std::uint16_t port, unsigned bytes, std::uint32_t value, std::uint64_t now_ticks);
    // Carries out what this CPU's interrupt command register was told, if anything: messages to other CPUs arrive
    // message_ticks later. False: there was nothing.
    bool send_messages(unsigned cpu, std::uint64_t now_ticks);
    const std::optional<PowerOff>& power_off() const { return power_off_; }

  private:
    void watch_shutdown(std::uint8_t value);

    std::optional<PowerOff> power_off_;
    unsigned shutdown_matched_ = 0;  // bytes of "Shutdown" seen in a row at bochs_shutdown
};

}  // namespace sim
