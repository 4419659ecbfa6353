// SPDX-License-Identifier: GPL-2.0-or-later
// A 16550 UART that transmits at once and never receives: the guest's console. Registers as in the PC16550D data
// sheet. Its one interrupt says that the transmitter is empty; as on a PC, OUT2 of the modem control lets it through.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sim {

class Uart {
  public:
    explicit Uart(std::function<void(std::string_view)> output) : output_(std::move(output)) {}

    std::uint8_t read(unsigned reg);               // reg: 0..7
    void write(unsigned reg, std::uint8_t value);  // reg: 0..7
    bool interrupt() const;                        // the interrupt line
    void flush();  // hands over what has been collected; lines are handed over by themselves

  private:
    static constexpr std::size_t collect_bytes = 256;
    std::function<void(std::string_view)> output_;
    std::string collected_;
    std::uint8_t interrupt_enable_ = 0, line_control_ = 0, modem_control_ = 0, scratch_ = 0;
    std::uint8_t divisor_[2] = {1, 0};
    bool fifo_ = false;
    bool empty_untold_ = false;  // that the transmitter is empty has not been read from the identity register yet
};

}  // namespace sim
