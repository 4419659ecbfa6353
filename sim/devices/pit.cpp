// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/devices/pit.hpp>

#include <algorithm>
#include <sim/engine.hpp>

namespace sim {

namespace {
using Wide = unsigned __int128;

std::uint32_t from_bcd(std::uint32_t v) {
    return (v & 15) + 10 * (v >> 4 & 15) + 100 * (v >> 8 & 15) + 1000 * (v >> 12 & 15);
}
std::uint32_t to_bcd(std::uint32_t v) {
    return v % 10 | (v / 10 % 10) << 4 | (v / 100 % 10) << 8 | (v / 1000 % 10) << 12;
}
}  // namespace

std::uint64_t PitChannel::elapsed(std::uint64_t now) const {
    if (!counting_) return stood_;
    return stood_ + (now > start_ ? now - start_ : 0);
}

bool PitChannel::output(std::uint64_t now) const {
    const std::uint64_t past = elapsed(now);
    switch (mode_) {
        case 0:
        case 1:
            return mode_ == 1 && !loaded_ ? true : loaded_ && past >= reload_;
        case 2:
            return !loaded_ || !gate_ || past % reload_ != reload_ - 1;
        case 3:
            return !loaded_ || !gate_ || past % reload_ < (reload_ + 1) / 2;
        default:
            return !loaded_ || past != reload_;
    }
}

std::uint64_t PitChannel::rises(std::uint64_t now) const {
    if (!loaded_) return 0;
    const std::uint64_t past = elapsed(now);
    if (periodic()) return past / reload_;
    return past >= reload_ + (mode_ >= 4 ? 1u : 0u);
}

std::uint64_t PitChannel::next_rise(std::uint64_t now) const {
    if (!loaded_ || !counting_) return never;
    const std::uint64_t past = elapsed(now);
    if (periodic()) return start_ - stood_ + (past / reload_ + 1) * reload_;
    const std::uint64_t at = reload_ + (mode_ >= 4 ? 1u : 0u);
    return past >= at ? never : start_ - stood_ + at;
}

std::uint16_t PitChannel::count(std::uint64_t now) const {
    const std::uint64_t past = elapsed(now);
    std::uint64_t left;
    if (mode_ == 2) left = reload_ - past % reload_;
    else if (mode_ == 3) left = reload_ - 2 * past % reload_;  // counts by two, twice a period
    else left = (reload_ - past) & 0xffff;                     // goes on round
    return std::uint16_t(bcd_ ? to_bcd(std::uint32_t(left % 10000)) : left);
}

void PitChannel::set_mode(unsigned control, std::uint64_t) {
    mode_ = control >> 1 & 7;
    if (mode_ > 5) mode_ -= 4;  // 6 and 7 are 2 and 3
    access_ = control >> 4 & 3;
    bcd_ = control & 1;
    loaded_ = counting_ = high_byte_next_ = read_high_next_ = count_latched_ = status_latched_ = false;
    stood_ = 0;
}

void PitChannel::write(std::uint8_t value, std::uint64_t now) {
    if (access_ == 1) return load(value, now);
    if (access_ == 2) return load(std::uint16_t(value << 8), now);
    if (high_byte_next_) load(std::uint16_t(value << 8 | low_byte_), now);
    else low_byte_ = value;
    high_byte_next_ = !high_byte_next_;
}

// A periodic channel that is running takes the new count at once here, not at the end of its period.
void PitChannel::load(std::uint16_t value, std::uint64_t now) {
    const std::uint32_t number = bcd_ ? from_bcd(value) : value;
    reload_ = number ? number : bcd_ ? 10000 : 0x10000;
    const bool triggered = mode_ == 1 || mode_ == 5;  // by the gate, later
    loaded_ = !triggered;
    counting_ = gate_ && !triggered;
    start_ = now + 1;
    stood_ = 0;
}

void PitChannel::set_gate(bool high, std::uint64_t now) {
    if (high == gate_) return;
    stood_ = elapsed(now);
    gate_ = high;
    start_ = now;
    if (mode_ == 1 || mode_ == 5) {
        if (high) loaded_ = counting_ = true, stood_ = 0, start_ = now + 1;
        return;
    }
    if (periodic() && high) stood_ = 0, start_ = now + 1;
    counting_ = high && loaded_;
}

std::uint8_t PitChannel::read(std::uint64_t now) {
    if (status_latched_) {
        status_latched_ = false;
        return latched_status_;
    }
    const std::uint16_t value = count_latched_ ? latched_count_ : count(now);
    if (access_ == 3) read_high_next_ = !read_high_next_;
    const bool high = access_ == 2 || (access_ == 3 && !read_high_next_);
    if (access_ != 3 || high) count_latched_ = false;
    return std::uint8_t(high ? value >> 8 : value);
}

void PitChannel::latch_count(std::uint64_t now) {
    if (count_latched_) return;
    count_latched_ = true;
    latched_count_ = count(now);
}

void PitChannel::latch_status(std::uint64_t now) {
    if (status_latched_) return;
    status_latched_ = true;
    latched_status_ = std::uint8_t(output(now) << 7 | !loaded_ << 6 | access_ << 4 | mode_ << 1 | unsigned{bcd_});
}

std::uint64_t Pit::clock(std::uint64_t now_ticks) {
    now_ = std::max(now_, std::uint64_t(Wide{now_ticks} * pit_hz / tsc_hz));
    return now_;
}

std::uint8_t Pit::read(std::uint16_t port, std::uint64_t now_ticks) {
    const std::uint64_t now = clock(now_ticks);
    if (port == 0x61)  // bit 4 toggles with every refresh of memory, about 15 us
        return std::uint8_t(gate_bits_ | (now / 18 & 1) << 4 | channels_[2].output(now) << 5);
    return port == 0x43 ? 0xff : channels_[port & 3].read(now);
}

void Pit::write(std::uint16_t port, std::uint8_t value, std::uint64_t now_ticks) {
    const std::uint64_t now = clock(now_ticks);
    if (port == 0x61) {
        gate_bits_ = value & 3;
        channels_[2].set_gate(value & 1, now);
    } else if (port == 0x43) {
        command(value, now);
    } else {
        channels_[port & 3].write(value, now);
        if ((port & 3) == 0) rises_seen_ = channels_[0].rises(now);
    }
}

void Pit::command(std::uint8_t value, std::uint64_t now) {
    const unsigned selected = value >> 6;
    if (selected == 3) {  // read-back
        for (unsigned i = 0; i < 3; ++i) {
            if (!(value >> (i + 1) & 1)) continue;
            if (!(value & 0x20)) channels_[i].latch_count(now);
            if (!(value & 0x10)) channels_[i].latch_status(now);
        }
    } else if ((value >> 4 & 3) == 0) {
        channels_[selected].latch_count(now);
    } else {
        channels_[selected].set_mode(value, now);
        if (selected == 0) rises_seen_ = 0;
    }
}

bool Pit::take_rise(std::uint64_t now_ticks) {
    const std::uint64_t rises = channels_[0].rises(clock(now_ticks));
    const bool risen = rises > rises_seen_;
    rises_seen_ = rises;
    return risen;
}

bool Pit::output(std::uint64_t now_ticks) { return channels_[0].output(clock(now_ticks)); }

std::uint64_t Pit::next_rise_ticks() const {
    const std::uint64_t at = channels_[0].next_rise(now_);
    if (at == PitChannel::never) return never;
    return std::uint64_t((Wide{at} * tsc_hz + pit_hz - 1) / pit_hz);
}

}  // namespace sim
