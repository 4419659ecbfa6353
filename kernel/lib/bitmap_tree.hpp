// SPDX-License-Identifier: MIT
// A bitmap with summaries: a bit of level n + 1 tells whether a word of level n has any bit set. Setting, clearing and
// finding the lowest set bit take at most `levels_limit` steps, whatever the size, and touch one word a level.
// Storage belongs to the user. Not thread-safe.
#pragma once
#include <core/assert.hpp>
#include <cstddef>
#include <cstdint>
#include <lib/bits.hpp>

namespace exo {

class BitmapTree {
  public:
    static constexpr unsigned levels_limit = 6;  // 2^36 bits

    static constexpr std::size_t words_for(std::size_t bits) {
        std::size_t total = 0;
        do {
            bits = (bits + 63) / 64;
            total += bits;
        } while (bits > 1);
        return total;
    }

    constexpr BitmapTree() = default;
    // `words` holds words_for(bits) words, all zero, and outlives the tree; 1 <= bits <= 2^36.
    constexpr BitmapTree(std::uint64_t* words, std::size_t bits) : bits_(bits) {
        std::size_t in_level = bits;
        do {
            EXO_ASSERT(levels_ < levels_limit);
            in_level = (in_level + 63) / 64;
            level_[levels_++] = words;
            words += in_level;
        } while (in_level > 1);
    }

    constexpr std::size_t size() const { return bits_; }
    constexpr bool any() const { return levels_ != 0 && *level_[levels_ - 1] != 0; }
    constexpr bool test(std::size_t index) const {
        EXO_DEBUG_ASSERT(index < bits_);
        return (level_[0][index / 64] >> (index % 64)) & 1;
    }
    constexpr void set(std::size_t index) {
        EXO_DEBUG_ASSERT(index < bits_);
        for (unsigned level = 0; level < levels_; ++level, index /= 64) {
            std::uint64_t& word = level_[level][index / 64];
            const bool summarised = word != 0;
            word |= bit(index % 64);
            if (summarised) return;
        }
    }
    constexpr void clear(std::size_t index) {
        EXO_DEBUG_ASSERT(index < bits_);
        for (unsigned level = 0; level < levels_; ++level, index /= 64) {
            std::uint64_t& word = level_[level][index / 64];
            word &= ~bit(index % 64);
            if (word != 0) return;
        }
    }
    // The lowest set bit; there must be one.
    constexpr std::size_t lowest() const {
        EXO_DEBUG_ASSERT(any());
        std::size_t index = 0;
        for (unsigned level = levels_; level-- > 0;) index = index * 64 + lowest_bit(level_[level][index]);
        return index;
    }

  private:
    std::uint64_t* level_[levels_limit] = {};
    std::size_t bits_ = 0;
    unsigned levels_ = 0;
};

}  // namespace exo
