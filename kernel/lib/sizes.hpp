// SPDX-License-Identifier: MIT
// Sizes in bytes and pages: units, rounding, the order of a power-of-two block of pages.
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <hal/types.hpp>
#include <type_traits>

namespace exo {

using hal::page_bytes;

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;

// Alignments are powers of two; align_up must not overflow.
template <std::unsigned_integral T>
constexpr T align_down(T value, std::type_identity_t<T> alignment) {
    return static_cast<T>(value & ~(alignment - 1));
}
template <std::unsigned_integral T>
constexpr T align_up(T value, std::type_identity_t<T> alignment) {
    return align_down<T>(static_cast<T>(value + alignment - 1), alignment);
}
template <std::unsigned_integral T>
constexpr bool is_aligned(T value, std::type_identity_t<T> alignment) {
    return (value & (alignment - 1)) == 0;
}
template <std::unsigned_integral T>
constexpr T divide_up(T value, std::type_identity_t<T> divisor) {
    return static_cast<T>(value / divisor + (value % divisor != 0));
}

constexpr std::uint64_t pages_for(std::uint64_t bytes) { return divide_up(bytes, page_bytes); }

// The smallest order whose block, 2^order pages, holds that many pages or bytes. 0 gives order 0.
constexpr unsigned order_for_pages(std::uint64_t pages) {
    return pages <= 1 ? 0 : static_cast<unsigned>(std::bit_width(pages - 1));
}
constexpr unsigned order_for_bytes(std::uint64_t bytes) { return order_for_pages(pages_for(bytes)); }

}  // namespace exo
