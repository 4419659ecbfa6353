// SPDX-License-Identifier: MIT
// Single bits and their places, by the counting instructions (BSF/BSR or TZCNT/LZCNT).
#pragma once
#include <bit>
#include <concepts>
#include <cstdint>

namespace exo {

template <std::unsigned_integral T>
inline constexpr unsigned bit_width_of = sizeof(T) * 8;

// `bit` is below the width of T.
template <std::unsigned_integral T = std::uint64_t>
constexpr T bit(unsigned index) {
    return static_cast<T>(T{1} << index);
}
// The `count` lowest bits; count may be the whole width.
template <std::unsigned_integral T = std::uint64_t>
constexpr T low_bits(unsigned count) {
    return count >= bit_width_of<T> ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << count) - 1);
}
// Both need a value that is not 0.
template <std::unsigned_integral T>
constexpr unsigned lowest_bit(T value) {
    return static_cast<unsigned>(std::countr_zero(value));
}
template <std::unsigned_integral T>
constexpr unsigned highest_bit(T value) {
    return bit_width_of<T> - 1 - static_cast<unsigned>(std::countl_zero(value));
}
// Without a population count, which the baseline instruction set lacks.
template <std::unsigned_integral T>
constexpr bool is_power_of_two(T value) {
    return value != 0 && (value & (value - 1)) == 0;
}

}  // namespace exo
