// SPDX-License-Identifier: MIT
// A small sequence of numbers from a seed, the same everywhere: SplitMix64 (Steele, Lea, Flood, "Fast Splittable
// Pseudorandom Number Generators", 2014). Not for secrets.
#pragma once
#include <cstdint>

namespace exo {

class Random {
  public:
    explicit constexpr Random(std::uint64_t seed = 0) : state_(seed) {}
    constexpr std::uint64_t next() {
        state_ += 0x9e37'79b9'7f4a'7c15;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
        return z ^ (z >> 31);
    }
    // 0 .. limit - 1, limit at least 1; the bias is far below what a test could see.
    constexpr std::uint64_t below(std::uint64_t limit) { return next() % limit; }
    constexpr bool once_in(std::uint64_t times) { return below(times) == 0; }

  private:
    std::uint64_t state_;
};

}  // namespace exo
