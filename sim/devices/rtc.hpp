// SPDX-License-Identifier: GPL-2.0-or-later
// The clock and memory of a PC behind ports 0x70 and 0x71 (Motorola MC146818): for ever the first second of 2024, so
// that runs are the same. It raises no interrupt.
#pragma once
#include <cstdint>

namespace sim {

class Rtc {
  public:
    static bool owns(std::uint16_t port) { return port == 0x70 || port == 0x71; }
    std::uint8_t read(std::uint16_t port) const { return port == 0x70 ? 0xff : contents(index_); }
    void write(std::uint16_t port, std::uint8_t value) {
        if (port == 0x70) index_ = value & 0x7f;  // bit 7 holds off the NMI, which is never raised here
    }

  private:
    static std::uint8_t contents(std::uint8_t index) {
        switch (index) {
            case 0x06:  // day of the week: Monday
                return 2;
            case 0x07:  // day, month, year, century, in BCD
            case 0x08:
                return 1;
            case 0x09:
                return 0x24;
            case 0x32:
                return 0x20;
            case 0x0a:  // no update in progress, 32,768 Hz
                return 0x26;
            case 0x0b:  // 24 hours, BCD
                return 0x02;
            case 0x0d:  // the battery is good
                return 0x80;
            default:
                return 0;
        }
    }
    std::uint8_t index_ = 0;
};

}  // namespace sim
