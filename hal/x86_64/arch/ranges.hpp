// SPDX-License-Identifier: MIT
// A set of physical memory, as ascending, disjoint, page-aligned ranges: firmware's list comes in any order, may
// overlap, and has holes that matter. Pure: tested on the host.
#pragma once
#include <cstddef>
#include <hal/types.hpp>
#include <span>

namespace hal::x86 {

class RangeSet {
  public:
    static constexpr std::size_t capacity = 64;

    constexpr std::span<const MemoryRange> ranges() const { return {ranges_, count_}; }

    // Adds the whole pages within; what does not fit the set is left out.
    constexpr void add(std::uint64_t start, std::uint64_t end) {
        start = page_up(start);
        end = page_down(end);
        if (start >= end) return;
        std::size_t at = 0;  // first range that touches the new one or lies above it
        while (at < count_ && end_of(at) < start) ++at;
        std::size_t after = at;  // first range that lies clear above it
        while (after < count_ && ranges_[after].start.value() <= end) {
            if (ranges_[after].start.value() < start) start = ranges_[after].start.value();
            if (end_of(after) > end) end = end_of(after);
            ++after;
        }
        if (replace(at, after, 1)) ranges_[at] = {PhysAddr(start), end - start};
    }

    // Takes away every page touched.
    constexpr void remove(std::uint64_t start, std::uint64_t end) {
        start = page_down(start);
        end = end > ~std::uint64_t{0} - page_bytes ? end : page_up(end);
        if (start >= end) return;
        for (std::size_t i = 0; i < count_;) {
            const std::uint64_t first = ranges_[i].start.value(), last = end_of(i);
            if (last <= start || first >= end) {
                ++i;
                continue;
            }
            const bool below = first<start, above = last> end;
            const std::size_t pieces = std::size_t(below) + std::size_t(above);
            if (!replace(i, i + 1, pieces)) {  // no room to split: lose the upper piece, never hand out what is taken
                ranges_[i] = {PhysAddr(first), start - first};
                ++i;
                continue;
            }
            if (below) ranges_[i++] = {PhysAddr(first), start - first};
            if (above) ranges_[i++] = {PhysAddr(end), last - end};
        }
    }

  private:
    static constexpr std::uint64_t page_down(std::uint64_t a) { return a & ~std::uint64_t{page_bytes - 1}; }
    static constexpr std::uint64_t page_up(std::uint64_t a) {
        return a > ~std::uint64_t{0} - page_bytes ? page_down(a) : page_down(a + page_bytes - 1);
    }
    constexpr std::uint64_t end_of(std::size_t i) const { return ranges_[i].start.value() + ranges_[i].bytes; }

    // Makes ranges [from, to) into `pieces` slots; false, nothing changed, if the set is full.
    constexpr bool replace(std::size_t from, std::size_t to, std::size_t pieces) {
        const std::size_t count = count_ - (to - from) + pieces;
        if (count > capacity) return false;
        if (pieces <= to - from) {
            for (std::size_t i = to; i < count_; ++i) ranges_[i - (to - from) + pieces] = ranges_[i];
        } else {
            for (std::size_t i = count_; i > to; --i) ranges_[i - 1 + pieces - (to - from)] = ranges_[i - 1];
        }
        count_ = count;
        return true;
    }

    MemoryRange ranges_[capacity]{};
    std::size_t count_ = 0;
};

}  // namespace hal::x86
