// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/devices/uart.hpp>

namespace sim {

namespace {
enum Register : unsigned {
    data,
    interrupt_enable,
    interrupt_identity,
    line_control,
    modem_control,
    line_status,
    modem_status,
    scratch
};
constexpr std::uint8_t divisor_latch = 0x80;      // line control: registers 0 and 1 are the divisor
constexpr std::uint8_t transmitter_empty = 0x60;  // line status: holding and shift register empty
constexpr std::uint8_t no_interrupt = 0x01, empty_interrupt = 0x02;
constexpr std::uint8_t enable_empty = 0x02;  // interrupt enable
constexpr std::uint8_t out2 = 0x08;          // modem control
constexpr std::uint8_t modem_ready = 0xb0;   // carrier, data set ready, clear to send
}  // namespace

bool Uart::interrupt() const { return empty_untold_ && (interrupt_enable_ & enable_empty) && (modem_control_ & out2); }

std::uint8_t Uart::read(unsigned reg) {
    const bool latch = line_control_ & divisor_latch;
    switch (reg) {
        case data:
            return latch ? divisor_[0] : 0;
        case interrupt_enable:
            return latch ? divisor_[1] : interrupt_enable_;
        case interrupt_identity: {
            const bool empty = empty_untold_ && (interrupt_enable_ & enable_empty);
            if (empty) empty_untold_ = false;
            return std::uint8_t((empty ? empty_interrupt : no_interrupt) | (fifo_ ? 0xc0 : 0));
        }
        case line_control:
            return line_control_;
        case modem_control:
            return modem_control_;
        case line_status:
            return transmitter_empty;
        case modem_status:
            return modem_ready;
        default:
            return scratch_;
    }
}

void Uart::write(unsigned reg, std::uint8_t value) {
    const bool latch = line_control_ & divisor_latch;
    switch (reg) {
        case data:
            if (latch) {
                divisor_[0] = value;
                return;
            }
            empty_untold_ = true;
            collected_.push_back(char(value));
            if (value == '\n' || collected_.size() >= collect_bytes) flush();
            return;
        case interrupt_enable:
            if (latch) {
                divisor_[1] = value;
                return;
            }
            if (value & ~interrupt_enable_ & enable_empty) empty_untold_ = true;  // enabled while it is empty
            interrupt_enable_ = value & 0x0f;
            return;
        case interrupt_identity:
            fifo_ = value & 1;
            return;
        case line_control:
            line_control_ = value;
            return;
        case modem_control:
            modem_control_ = value & 0x1f;
            return;
        case scratch:
            scratch_ = value;
            return;
        default:
            return;  // the status registers are read-only
    }
}

void Uart::flush() {
    if (collected_.empty()) return;
    if (output_) output_(collected_);
    collected_.clear();
}

}  // namespace sim
