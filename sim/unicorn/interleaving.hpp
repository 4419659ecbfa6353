// SPDX-License-Identifier: GPL-2.0-or-later
// How far one CPU may run ahead of the others: a quantum, drawn from the seed anew for each slice, and much less while
// CPUs contend for lines of memory.
//
// A line is contended when one CPU touches what another wrote a short while ago, or writes what another touched. While
// that goes on no CPU gets further ahead than the fastest transfer of a line between cores takes (about 100 ticks), so
// that who comes first is decided about as finely as on hardware.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <sim/engine.hpp>

namespace sim::unicorn {

class Interleaving {
  public:
    Interleaving(std::uint64_t quantum, std::uint64_t seed) : quantum_(quantum), random_(seed) {}

    static constexpr std::uint64_t contended_quantum = 64;  // so at most 96 ticks ahead

    // Ticks that the CPU which runs next, now, may get ahead of the others: on the average the quantum.
    std::uint64_t ahead(std::uint64_t now) {
        const std::uint64_t quantum = contended(now) ? std::min(quantum_, contended_quantum) : quantum_;
        return quantum / 2 + random_() % quantum + 1;
    }

    // A CPU touches a line of RAM. True: it is contended.
    bool touch(std::uint64_t physical, std::uint8_t cpu, bool write, std::uint64_t now) {
        const std::uint64_t line = physical / line_bytes;
        Line& known = lines_[line % lines_.size()];
        const bool recent = known.line == line && now < known.at + window_ticks;
        const bool conflict = recent && (known.last != cpu ? write || known.writer != nobody
                                                           : known.writer != nobody && known.writer != cpu);
        known.writer = write ? cpu : recent ? known.writer : nobody;
        known.line = line;
        known.last = cpu;
        known.at = now;
        if (conflict) contended_until_ = std::max(contended_until_, now + window_ticks);
        return conflict;
    }
    bool contended(std::uint64_t now) const { return now < contended_until_; }

  private:
    static constexpr std::uint64_t line_bytes = 64;
    static constexpr std::uint64_t window_ticks = 2048;
    static constexpr std::uint8_t nobody = 0xff;
    struct Line {
        std::uint64_t line = ~0ull, at = 0;
        std::uint8_t last = nobody, writer = nobody;
    };

    std::uint64_t quantum_;
    std::uint64_t contended_until_ = 0;
    std::mt19937_64 random_;
    std::array<Line, 4096> lines_{};  // by line; one that collides is forgotten
};

}  // namespace sim::unicorn
