// SPDX-License-Identifier: GPL-2.0-or-later
// What limits how much is on its way at once: places for misses, lines a cycle, and when each line arrives. Requests
// come in program order, but not in order of time: a load that waits for nothing is seen after one that waits long.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <sim/timing/model.hpp>
#include <vector>

namespace sim::timing {

// A path that takes one line each `interval` cycles, booked in stretches of 64 cycles.
class Path {
  public:
    explicit Path(unsigned interval) : interval_(std::max(interval, 1u)), most_(std::max(64 / interval_, 1u)) {}
    // When a line asked for at `cycle` goes.
    std::uint64_t book(std::uint64_t cycle) {
        for (std::uint64_t number = cycle / 64;; ++number) {
            Stretch& stretch = stretches_[number % stretches_.size()];
            if (stretch.number > number) return cycle;  // long ago: nothing is known any more
            if (stretch.number < number) stretch = {number, 0};
            if (stretch.lines < most_) return std::max(cycle, number * 64 + std::uint64_t{stretch.lines++} * interval_);
        }
    }

  private:
    struct Stretch {
        std::uint64_t number = 0;
        std::uint32_t lines = 0;
    };
    unsigned interval_, most_;
    std::array<Stretch, 512> stretches_{};
};

// Miss-status holding registers, or page walkers: so many at once.
class InFlight {
  public:
    explicit InFlight(unsigned count) : free_at_(std::max(count, 1u)) {}
    // The one that is free first: use it from max(cycle, its value) on and set it to when it is free again.
    std::uint64_t& first() { return *std::min_element(free_at_.begin(), free_at_.end()); }

  private:
    std::vector<std::uint64_t> free_at_;
};

// Lines that are in a cache already, since nothing else may take their place, but only from a later cycle on.
class Fills {
  public:
    struct Fill {
        std::uint64_t line = ~0ull, at = 0;
        Wait from = Wait::none;
    };
    void start(std::uint64_t line, std::uint64_t at, Wait from) {
        fills_[line % fills_.size()] = {line, at, from};
        latest_ = std::max(latest_, at);
    }
    bool none_after(std::uint64_t cycle) const { return cycle >= latest_; }
    // Null if the line is there at `cycle`.
    const Fill* find(std::uint64_t line, std::uint64_t cycle) const {
        if (none_after(cycle)) return nullptr;
        const Fill& fill = fills_[line % fills_.size()];
        return fill.line == line && fill.at > cycle ? &fill : nullptr;
    }

  private:
    std::array<Fill, 512> fills_{};
    std::uint64_t latest_ = 0;
};

}  // namespace sim::timing
