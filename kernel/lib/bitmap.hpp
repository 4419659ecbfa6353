// SPDX-License-Identifier: MIT
// Bitmaps over 64-bit words, searched a word at a time with count-zeros. BitmapView works on storage of its user;
// Bitmap<N> brings its own. Bits beyond the size are never reported. Not thread-safe.
#pragma once
#include <array>
#include <core/assert.hpp>
#include <cstddef>
#include <cstdint>
#include <lib/bits.hpp>

namespace exo {

inline constexpr std::size_t no_bit = ~std::size_t{0};

class BitmapView {
  public:
    static constexpr std::size_t words_for(std::size_t bits) { return (bits + 63) / 64; }

    constexpr BitmapView() = default;
    // `words` holds words_for(bits) words and outlives the view; their values are taken as they are.
    constexpr BitmapView(std::uint64_t* words, std::size_t bits) : words_(words), bits_(bits) {}

    constexpr std::size_t size() const { return bits_; }
    constexpr bool test(std::size_t index) const {
        EXO_DEBUG_ASSERT(index < bits_);
        return (words_[index / 64] >> (index % 64)) & 1;
    }
    constexpr void set(std::size_t index) {
        EXO_DEBUG_ASSERT(index < bits_);
        words_[index / 64] |= bit(index % 64);
    }
    constexpr void clear(std::size_t index) {
        EXO_DEBUG_ASSERT(index < bits_);
        words_[index / 64] &= ~bit(index % 64);
    }
    constexpr void clear_all() {
        for (std::size_t word = 0; word < words_for(bits_); ++word) words_[word] = 0;
    }
    // The first set (clear) bit at `from` or above; no_bit if there is none.
    constexpr std::size_t find_set(std::size_t from = 0) const { return find(from, 0); }
    constexpr std::size_t find_clear(std::size_t from = 0) const { return find(from, ~std::uint64_t{0}); }
    constexpr bool any() const { return find_set() != no_bit; }
    constexpr std::size_t count() const {
        std::size_t total = 0;
        for (std::size_t from = find_set(); from != no_bit; from = find_set(from + 1)) ++total;
        return total;
    }

  private:
    constexpr std::size_t find(std::size_t from, std::uint64_t flip) const {
        if (from >= bits_) return no_bit;
        std::uint64_t word = (words_[from / 64] ^ flip) & ~low_bits(from % 64);
        for (std::size_t index = from / 64;;) {
            if (word != 0) {
                const std::size_t found = index * 64 + lowest_bit(word);
                return found < bits_ ? found : no_bit;
            }
            if (++index >= words_for(bits_)) return no_bit;
            word = words_[index] ^ flip;
        }
    }

    std::uint64_t* words_ = nullptr;
    std::size_t bits_ = 0;
};

template <std::size_t bits>
class Bitmap {
  public:
    constexpr BitmapView view() { return BitmapView(words_.data(), bits); }
    static constexpr std::size_t size() { return bits; }
    constexpr bool test(std::size_t index) const { return reader().test(index); }
    constexpr void set(std::size_t index) { view().set(index); }
    constexpr void clear(std::size_t index) { view().clear(index); }
    constexpr void clear_all() { view().clear_all(); }
    constexpr std::size_t find_set(std::size_t from = 0) const { return reader().find_set(from); }
    constexpr std::size_t find_clear(std::size_t from = 0) const { return reader().find_clear(from); }
    constexpr bool any() const { return reader().any(); }
    constexpr std::size_t count() const { return reader().count(); }

  private:
    constexpr BitmapView reader() const { return const_cast<Bitmap*>(this)->view(); }

    std::array<std::uint64_t, BitmapView::words_for(bits)> words_{};
};

}  // namespace exo
