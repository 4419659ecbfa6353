// SPDX-License-Identifier: GPL-2.0-or-later
// Which cycles of which execution units are taken: a bitmap of cycles a unit over a moving window. Instructions book in
// program order the first free cycle in which they are ready, so an older one goes first, as hardware's schedulers have
// it, and a younger one fills the gaps that older ones left.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace sim::timing {

class Calendar {
  public:
    static constexpr unsigned window = 2048;  // cycles; a power of two

    // Nothing will be booked before `cycle` any more.
    void forget_before(std::uint64_t cycle) {
        if (cycle >= base_ + window) {  // a long wait: nothing of what was booked lies ahead
            taken_ = {};
            base_ = cycle / 64 * 64;
        }
        while (base_ + 64 <= cycle) {
            for (auto& unit : taken_) unit[base_ / 64 % words] = 0;
            base_ += 64;
        }
    }

    // Books `cycles` in a row of one of the units (a bit each) from `ready` on, and returns the first. Of units that
    // are free equally early the one after the last that was used is taken.
    std::uint64_t book(std::uint32_t units, unsigned cycles, std::uint64_t ready) {
        if (ready + 2 * cycles + 64 >= base_ + window) return ready;  // so far ahead nothing else competes
        turn_ = (turn_ + 1) % units_most;
        const std::uint32_t from_turn = std::rotr(units, turn_);
        const auto each_unit = [&](auto&& stop) {
            for (std::uint32_t left = from_turn; left; left &= left - 1)
                if (stop((static_cast<unsigned>(std::countr_zero(left)) + turn_) % units_most)) return true;
            return false;
        };
        if (cycles == 1) {  // most often one of them is free at once
            const std::uint64_t bit = 1ull << ready % 64;
            std::uint64_t* const column = &taken_[0][ready / 64 % words];
            if (each_unit([&](unsigned candidate) {
                    std::uint64_t& taken = column[candidate * words];
                    const bool free = !(taken & bit);
                    taken |= bit;
                    return free;
                }))
                return ready;
        }
        std::uint64_t best = ~0ull;
        unsigned unit = 0;
        each_unit([&](unsigned candidate) {
            const std::uint64_t start = first_free(candidate, cycles, ready, best);
            if (start < best) best = start, unit = candidate;
            return best == ready;
        });
        for (unsigned i = 0; i < cycles; ++i) word(unit, best + i) |= 1ull << ((best + i) % 64);
        return best;
    }

  private:
    static constexpr unsigned words = window / 64, units_most = 32;

    std::uint64_t& word(unsigned unit, std::uint64_t cycle) { return taken_[unit][cycle / 64 % words]; }

    std::uint64_t first_free(unsigned unit, unsigned cycles, std::uint64_t ready, std::uint64_t best) {
        std::uint64_t at = ready;
        const std::uint64_t end = std::min(best, base_ + window - cycles - 64);
        while (at < end) {
            const std::uint64_t free = ~word(unit, at) >> at % 64;
            if (!free) {
                at = (at / 64 + 1) * 64;
                continue;
            }
            at += static_cast<unsigned>(std::countr_zero(free));
            unsigned run = 1;
            while (run < cycles && !(word(unit, at + run) >> (at + run) % 64 & 1)) ++run;
            if (run == cycles) return at;
            at += run;
        }
        return std::max(at, ready);
    }

    std::array<std::array<std::uint64_t, words>, units_most> taken_{};
    std::uint64_t base_ = 0;  // a multiple of 64
    unsigned turn_ = 0;       // which unit is asked first
};

}  // namespace sim::timing
