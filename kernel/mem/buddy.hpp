// SPDX-License-Identifier: MIT
// The buddy allocator as a pure data structure (Knuth, TAOCP 1, 2.5): blocks of 2^order pages at addresses that are
// multiples of their size; a freed block merges with its buddy while that is free too.
//
// State is in bitmaps beside the memory, never in free frames: per region and order a tree of free blocks (lowest
// address first, which keeps high memory whole) and a bitmap of the first frames of allocated blocks, which catches
// double frees and wrong orders. Each operation takes at most block_orders steps of constant cost a region. Not
// thread-safe: mem/frames.hpp locks.
#pragma once
#include <array>
#include <hal/types.hpp>
#include <lib/bitmap.hpp>
#include <lib/bitmap_tree.hpp>
#include <lib/result.hpp>
#include <lib/sizes.hpp>

namespace exo {

inline constexpr unsigned block_orders = 11;  // 4 KiB .. 4 MiB
inline constexpr unsigned largest_order = block_orders - 1;

struct FrameStats {
    std::uint64_t total_frames = 0;  // that can be allocated: metadata excluded
    std::uint64_t free_frames = 0;
    std::uint64_t metadata_frames = 0;  // taken from the ranges for the bitmaps
    std::uint64_t ignored_frames = 0;   // in ranges too small or too many to manage
    std::array<std::uint64_t, block_orders> free_blocks{};
    bool operator==(const FrameStats&) const = default;
};

class Buddy {
  public:
    static constexpr unsigned regions_limit = 16;

    // Forgets every region. In place: an allocator is too large for a kernel stack.
    void reset();

    // Manages the whole pages of a range that is mapped at `mapped` and is nobody else's; its first pages hold the
    // bitmaps (about 0.013 % of the range). Must not overlap an earlier one.
    void add(hal::MemoryRange range, std::byte* mapped);

    // A block of 2^order pages, contents undefined. no_memory if there is none or the order is above largest_order.
    Result<hal::PhysAddr> allocate(unsigned order);

    // The block must be allocated with exactly this order: anything else asserts.
    void free(hal::PhysAddr block, unsigned order);

    // Whether a block of this order starts at this address and is allocated.
    bool allocated(hal::PhysAddr block, unsigned order) const;

    FrameStats stats() const;

  private:
    struct Region {
        std::uint64_t base_frame = 0;   // multiple of the largest block: index ^ 1 is then the buddy
        std::uint64_t start_frame = 0;  // of the metadata
        std::uint64_t first_frame = 0;  // that can be allocated
        std::uint64_t end_frame = 0;
        std::uint32_t non_empty = 0;  // a bit an order
        std::array<BitmapTree, block_orders> free;
        std::array<BitmapView, block_orders> heads;
        std::array<std::uint64_t, block_orders> free_blocks{};

        void put(unsigned order, std::size_t index);
        void take(unsigned order, std::size_t index);
        void fill();
    };

    static std::uint64_t metadata_words(std::uint64_t span_frames);
    const Region* region_of(std::uint64_t frame) const;

    std::array<Region, regions_limit> regions_{};
    unsigned region_count_ = 0;
    FrameStats totals_{};  // free_blocks unused: the regions count them
};

}  // namespace exo
