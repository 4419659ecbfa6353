// SPDX-License-Identifier: GPL-2.0-or-later
// What the leader's plugin writes into its pipe: the state before each instruction, as the words that differ from those
// before.
//
// Hello first; then the plugin waits for one byte, so that the reader can copy the RAM of that moment. Then a record
// for each instruction attempted: mask_words words with a bit for each word of the state that changed, then those words
// in order. The end of the pipe is the end of the run.
#pragma once
#include <cstddef>
#include <cstdint>
#include <sim/imposed.hpp>

namespace sim::lockstep {

inline constexpr std::size_t state_words = sizeof(ArchitecturalState) / 8;
inline constexpr std::size_t mask_words = (state_words + 63) / 64;

struct Hello {
    static constexpr std::uint64_t expected = 0x0001'7065'7473'6b6c;  // "lkstep", version 1
    std::uint64_t magic = expected;
    std::uint64_t words = state_words;
    char problem[240] = {};  // why there is nothing to come; empty if all is well
};

}  // namespace sim::lockstep
