// SPDX-License-Identifier: MIT
// The types both sides of the HAL speak: physical and virtual addresses that cannot be mixed up, access rights, CPUs.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>

namespace hal {

inline constexpr std::size_t page_bytes = 4096;
inline constexpr std::size_t cache_line_bytes = 64;

template <typename Tag>
class Address {
  public:
    constexpr Address() = default;
    explicit constexpr Address(std::uint64_t value) : value_(value) {}
    constexpr std::uint64_t value() const { return value_; }
    constexpr bool page_aligned() const { return value_ % page_bytes == 0; }
    constexpr Address page_floor() const { return Address(value_ & ~std::uint64_t{page_bytes - 1}); }
    constexpr Address operator+(std::uint64_t bytes) const { return Address(value_ + bytes); }
    constexpr Address operator-(std::uint64_t bytes) const { return Address(value_ - bytes); }
    constexpr std::uint64_t operator-(Address other) const { return value_ - other.value_; }
    constexpr auto operator<=>(const Address&) const = default;

  private:
    std::uint64_t value_ = 0;
};

using PhysAddr = Address<struct PhysTag>;
using VirtAddr = Address<struct VirtTag>;

enum class Access : std::uint8_t { none = 0, read = 1, write = 2, execute = 4, user = 8 };
constexpr Access operator|(Access a, Access b) { return Access(std::uint8_t(a) | std::uint8_t(b)); }
constexpr bool has(Access set, Access one) { return (std::uint8_t(set) & std::uint8_t(one)) == std::uint8_t(one); }

enum class CpuIndex : std::uint32_t { boot = 0 };

struct MemoryRange {
    PhysAddr start;
    std::uint64_t bytes = 0;
};

}  // namespace hal
