// SPDX-License-Identifier: GPL-2.0-or-later
// Where data is: how many cycles beyond the L1 an access takes.
#pragma once
#include <cstdint>
#include <sim/events.hpp>
#include <sim/timing/cache.hpp>
#include <sim/timing/model.hpp>

namespace sim::timing {

class Memory {
  public:
    struct Delay {
        unsigned cycles = 0;  // beyond a hit in the L1
        Wait why = Wait::none;
    };
    // Of a load issued at `cycle`.
    Delay load(const Access& access, std::uint64_t cycle) { return touch(access.physical_address >> line_bits, cycle); }
    // Of a store that is ready to go to the cache at `cycle`: until its line is there.
    Delay store(const Access& access, std::uint64_t cycle) {
        return touch(access.physical_address >> line_bits, cycle);
    }
    // Of code, for the line that holds the address.
    Delay fetch(std::uint64_t physical_address, std::uint64_t) {
        const std::uint64_t line = physical_address >> line_bits;
        return l1_code_.touch(line) ? Delay{} : beyond_l1(line);
    }

  private:
    Delay touch(std::uint64_t line, std::uint64_t) { return l1_.touch(line) ? Delay{} : beyond_l1(line); }
    Delay beyond_l1(std::uint64_t line) {
        if (l2_.touch(line)) return {13, Wait::l2};
        return l3_.touch(line) ? Delay{46, Wait::l3} : Delay{436, Wait::memory};
    }
    Cache<8> l1_{32 << 10}, l1_code_{32 << 10}, l2_{1 << 20};
    Cache<16> l3_{32 << 20};
};

}  // namespace sim::timing
