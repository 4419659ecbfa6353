// SPDX-License-Identifier: MIT
#include <core/lock.hpp>
#include <cstring>
#include <mem/frames.hpp>

namespace exo {
namespace {

constinit SpinLock<Rank::frames> lock;
constinit Buddy buddy;
constinit std::uint64_t allocations_until_failure = 0;  // 0: none is to fail

hal::PhysAddr table_frame_allocate(void*) {
    const auto frame = frames_allocate(0);
    if (!frame) return hal::no_frame;
    zero_pages(*frame, 1);
    return *frame;
}

void table_frame_release(void*, hal::PhysAddr frame) { frames_free(frame, 0); }

constinit hal::TableFrames tables{table_frame_allocate, table_frame_release, nullptr};

}  // namespace

void frames_init(std::span<const hal::MemoryRange> ranges) {
    ScopedLock guard(lock);
    buddy.reset();
    allocations_until_failure = 0;
    for (const hal::MemoryRange& range : ranges) buddy.add(range, hal::phys_to_virt(range.start));
}

void frames_add(hal::MemoryRange range) {
    ScopedLock guard(lock);
    buddy.add(range, hal::phys_to_virt(range.start));
}

Result<hal::PhysAddr> frames_allocate(unsigned order) {
    ScopedLock guard(lock);
    if (allocations_until_failure != 0 && --allocations_until_failure == 0) return Error::no_memory;
    return buddy.allocate(order);
}

void frames_free(hal::PhysAddr block, unsigned order) {
    ScopedLock guard(lock);
    buddy.free(block, order);
}

FrameStats frame_stats() {
    ScopedLock guard(lock);
    return buddy.stats();
}

hal::TableFrames& table_frames() { return tables; }

void zero_pages(hal::PhysAddr first, std::size_t pages) {
    std::memset(hal::phys_to_virt(first), 0, pages * page_bytes);
}

void frames_fail_nth(std::uint64_t nth) {
    ScopedLock guard(lock);
    allocations_until_failure = nth;
}

}  // namespace exo
