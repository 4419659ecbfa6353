// SPDX-License-Identifier: MIT
// Physical memory: the machine's frames behind one buddy allocator and its lock (Rank::frames). Nothing here blocks or
// zeroes (table_frames apart). Every function but frames_init and frames_add may be called from any CPU with
// interrupts on or off, never from an interrupt handler.
#pragma once
#include <hal/mmu.hpp>
#include <mem/buddy.hpp>
#include <span>

namespace exo {

// Forgets everything and manages these ranges, which lie in the direct map (hal::phys_to_virt works on them). Bitmaps
// are carved out of the ranges. Once, on the boot CPU.
void frames_init(std::span<const hal::MemoryRange> ranges);
// One more range, later: the same conditions.
void frames_add(hal::MemoryRange range);

// A block of 2^order pages, aligned to its size, contents undefined. no_memory: none left, or order > largest_order.
[[nodiscard]] Result<hal::PhysAddr> frames_allocate(unsigned order);
// The block must have been allocated with this order and not be freed: else asserts.
void frames_free(hal::PhysAddr block, unsigned order);

FrameStats frame_stats();

// Frames for page tables: order 0, zeroed; hal::no_frame when there is none.
hal::TableFrames& table_frames();

// Zeroes whole pages through the direct map.
void zero_pages(hal::PhysAddr first, std::size_t pages);

// For tests: the nth allocation from now (1: the next) fails once; 0 takes the order back.
void frames_fail_nth(std::uint64_t nth);

}  // namespace exo
