// SPDX-License-Identifier: GPL-2.0-or-later
// A set-associative cache that knows only which lines it holds. Each set keeps its lines most recent first, so true
// LRU costs nothing on a hit in the first place, which is the usual one.
#pragma once
#include <cstdint>
#include <vector>

namespace sim {

inline constexpr unsigned line_bits = 6;

template <unsigned ways>
class Cache {
  public:
    explicit Cache(std::uint32_t bytes)
        : set_mask_(bytes / (ways << line_bits) - 1), lines_(std::size_t{ways} * (set_mask_ + 1), no_line) {}

    // Whether the line was there; it is now, as the most recent of its set.
    bool touch(std::uint64_t line) {
        std::uint64_t* set = &lines_[std::size_t{ways} * (line & set_mask_)];
        if (set[0] == line) return true;
        return touch_further(set, line);
    }

  private:
    static constexpr std::uint64_t no_line = ~0ull;

    static bool touch_further(std::uint64_t* set, std::uint64_t line) {
        std::uint64_t carried = set[0];
        set[0] = line;
        for (unsigned way = 1; way < ways; ++way) {
            std::uint64_t here = set[way];
            set[way] = carried;
            if (here == line) return true;
            carried = here;
        }
        return false;
    }

    std::uint64_t set_mask_;  // sets are a power of two
    std::vector<std::uint64_t> lines_;
};

}  // namespace sim
