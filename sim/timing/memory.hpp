// SPDX-License-Identifier: GPL-2.0-or-later
// Where data is: how many cycles beyond the L1 an access takes.
#pragma once
#include <cstdint>
#include <sim/events.hpp>
#include <sim/timing/cache.hpp>

namespace sim::timing {

class Memory {
  public:
    // Cycles beyond a hit in the L1 that a load issued at `cycle` takes.
    unsigned load(const Access& access, std::uint64_t cycle) { return touch(access.physical_address >> line_bits, cycle); }
    // Of a store that is ready to go to the cache at `cycle`: until its line is there.
    unsigned store(const Access& access, std::uint64_t cycle) { return touch(access.physical_address >> line_bits, cycle); }
    // Of code, for the line that holds the address.
    unsigned fetch(std::uint64_t physical_address, std::uint64_t) {
        const std::uint64_t line = physical_address >> line_bits;
        return l1_code_.touch(line) ? 0 : beyond_l1(line);
    }

  private:
    unsigned touch(std::uint64_t line, std::uint64_t) { return l1_.touch(line) ? 0 : beyond_l1(line); }
    unsigned beyond_l1(std::uint64_t line) {
        if (l2_.touch(line)) return 13;
        return l3_.touch(line) ? 46 : 436;
    }
    Cache<8> l1_{32 << 10}, l1_code_{32 << 10}, l2_{1 << 20};
    Cache<16> l3_{32 << 20};
};

}  // namespace sim::timing
