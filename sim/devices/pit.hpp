// SPDX-License-Identifier: GPL-2.0-or-later
// The 8254 interval timer of a PC (Intel data sheet 231164): channel 0 drives IRQ 0, channel 2 the speaker, with its
// gate and output at port 0x61. Channel 1 counts and is connected to nothing.
//
// Nothing counts here: a channel knows when it was loaded, and everything follows from the guest's clock, which the
// caller hands in, in ticks of the time-stamp counter. A clock that goes back (another CPU's) is taken to stand still.
#pragma once
#include <array>
#include <cstdint>

namespace sim {

inline constexpr std::uint64_t pit_hz = 1'193'182;

class PitChannel {
  public:
    // All times in clocks of the timer.
    void set_mode(unsigned control, std::uint64_t now);
    void write(std::uint8_t value, std::uint64_t now);
    std::uint8_t read(std::uint64_t now);
    void latch_count(std::uint64_t now);
    void latch_status(std::uint64_t now);
    void set_gate(bool high, std::uint64_t now);

    bool output(std::uint64_t now) const;
    // How often the output has risen until `now` since the count was loaded, and when it rises next; `never`: not.
    std::uint64_t rises(std::uint64_t now) const;
    std::uint64_t next_rise(std::uint64_t now) const;
    static constexpr std::uint64_t never = ~0ull;

  private:
    std::uint64_t elapsed(std::uint64_t now) const;
    std::uint16_t count(std::uint64_t now) const;
    bool periodic() const { return mode_ == 2 || mode_ == 3; }
    void load(std::uint16_t value, std::uint64_t now);

    unsigned mode_ = 0, access_ = 3;  // access: 1 low byte, 2 high byte, 3 both
    bool bcd_ = false, gate_ = true, loaded_ = false, counting_ = false;
    bool high_byte_next_ = false, read_high_next_ = false;
    std::uint8_t low_byte_ = 0;
    std::uint32_t reload_ = 0x10000;  // 1 .. 65536
    std::uint64_t start_ = 0;         // when the count at hand began; while it stands still: `stood_` clocks are past
    std::uint64_t stood_ = 0;
    std::uint16_t latched_count_ = 0;
    std::uint8_t latched_status_ = 0;
    bool count_latched_ = false, status_latched_ = false;
};

class Pit {
  public:
    static constexpr std::uint64_t never = ~0ull;
    static bool owns(std::uint16_t port) { return (port & ~3u) == 0x40 || port == 0x61; }

    std::uint8_t read(std::uint16_t port, std::uint64_t now_ticks);
    void write(std::uint16_t port, std::uint8_t value, std::uint64_t now_ticks);

    // Has channel 0's output risen since this was last asked? Then IRQ 0 has an edge.
    bool take_rise(std::uint64_t now_ticks);
    bool output(std::uint64_t now_ticks);   // of channel 0
    std::uint64_t next_rise_ticks() const;  // of channel 0, after what was last asked; `never`

  private:
    std::uint64_t clock(std::uint64_t now_ticks);
    void command(std::uint8_t value, std::uint64_t now);

    std::array<PitChannel, 3> channels_;
    std::uint64_t now_ = 0;         // the latest clock seen
    std::uint64_t rises_seen_ = 0;  // of channel 0
    std::uint8_t gate_bits_ = 0;    // bits 0 and 1 of port 0x61
};

}  // namespace sim
