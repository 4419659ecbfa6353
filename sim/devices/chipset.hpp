// SPDX-License-Identifier: GPL-2.0-or-later
// The old part of a PC: interrupt controllers, interval timer, serial line, clock, and the ports that reset it. One
// place says when the next of their interrupts is due.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <sim/devices/external_interrupts.hpp>
#include <sim/devices/pic.hpp>
#include <sim/devices/pit.hpp>
#include <sim/devices/rtc.hpp>
#include <sim/devices/uart.hpp>
#include <string_view>

namespace sim {

class Chipset final : public ExternalInterrupts {
  public:
    explicit Chipset(std::function<void(std::string_view)> console) : uart(std::move(console)) {}

    Uart uart;

    // Does what this port does depend on the time? Else `now_ticks` may be anything.
    static bool timed(std::uint16_t port) { return Pit::owns(port) || PicPair::owns(port); }
    std::uint8_t read(std::uint16_t port, std::uint64_t now_ticks);  // all ones where nobody answers
    void write(std::uint16_t port, std::uint8_t value, std::uint64_t now_ticks);
    std::optional<std::uint16_t> reset_port() const { return reset_port_; }  // the guest asked for a reset there

    void advance(std::uint64_t now_ticks) override;
    bool requests() const override { return pics_.requests(); }
    std::uint8_t next_vector() const override { return PicPair(pics_).acknowledge(); }
    std::uint8_t acknowledge() override { return pics_.acknowledge(); }
    std::uint64_t deadline_ticks() const override;

  private:
    PicPair pics_;
    Pit pit_;
    Rtc rtc_;
    std::optional<std::uint16_t> reset_port_;
};

}  // namespace sim
