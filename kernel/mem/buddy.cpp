// SPDX-License-Identifier: MIT
#include <algorithm>
#include <mem/buddy.hpp>

namespace exo {
namespace {

constexpr std::uint64_t largest_block_frames = 1u << largest_order;

constexpr std::uint64_t blocks_in(std::uint64_t span_frames, unsigned order) {
    return divide_up(span_frames, std::uint64_t{1} << order);
}

}  // namespace

std::uint64_t Buddy::metadata_words(std::uint64_t span_frames) {
    std::uint64_t words = 0;
    for (unsigned order = 0; order < block_orders; ++order) {
        const std::uint64_t blocks = blocks_in(span_frames, order);
        words += BitmapTree::words_for(blocks) + BitmapView::words_for(blocks);
    }
    return words;
}

void Buddy::Region::put(unsigned order, std::size_t index) {
    free[order].set(index);
    ++free_blocks[order];
    non_empty |= 1u << order;
}

void Buddy::Region::take(unsigned order, std::size_t index) {
    free[order].clear(index);
    if (--free_blocks[order] == 0) non_empty &= ~(1u << order);
}

// Covers [first_frame, end_frame) with the largest aligned blocks that fit: the state in which nothing can merge.
void Buddy::Region::fill() {
    for (std::uint64_t frame = first_frame; frame < end_frame;) {
        const std::uint64_t index = frame - base_frame;
        unsigned order = highest_bit(end_frame - frame);
        if (index != 0) order = std::min(order, lowest_bit(index));
        order = std::min(order, largest_order);
        put(order, index >> order);
        frame += std::uint64_t{1} << order;
    }
}

void Buddy::reset() {
    region_count_ = 0;
    totals_ = {};
}

void Buddy::add(hal::MemoryRange range, std::byte* mapped) {
    const std::uint64_t start = divide_up(range.start.value(), page_bytes);
    const std::uint64_t end = (range.start.value() + range.bytes) / page_bytes;
    if (end <= start) return;
    mapped += start * page_bytes - range.start.value();
    const std::uint64_t base = align_down(start, largest_block_frames);
    const std::uint64_t words = metadata_words(end - base);
    const std::uint64_t metadata_frames = pages_for(words * sizeof(std::uint64_t));
    if (region_count_ == regions_limit || end - start <= metadata_frames) {
        totals_.ignored_frames += end - start;
        return;
    }
    for (unsigned i = 0; i < region_count_; ++i)
        EXO_ASSERT(end <= regions_[i].start_frame || start >= regions_[i].end_frame);

    Region& region = regions_[region_count_++];
    region.base_frame = base;
    region.start_frame = start;
    region.first_frame = start + metadata_frames;
    region.end_frame = end;
    region.non_empty = 0;
    region.free_blocks = {};
    auto* word = reinterpret_cast<std::uint64_t*>(mapped);
    std::fill_n(word, words, 0);
    for (unsigned order = 0; order < block_orders; ++order) {
        const std::uint64_t blocks = blocks_in(end - base, order);
        region.free[order] = BitmapTree(word, blocks);
        word += BitmapTree::words_for(blocks);
        region.heads[order] = BitmapView(word, blocks);
        word += BitmapView::words_for(blocks);
    }
    region.fill();
    totals_.total_frames += end - region.first_frame;
    totals_.free_frames += end - region.first_frame;
    totals_.metadata_frames += metadata_frames;
}

Result<hal::PhysAddr> Buddy::allocate(unsigned order) {
    if (order > largest_order) return Error::no_memory;
    for (unsigned i = 0; i < region_count_; ++i) {
        Region& region = regions_[i];
        const std::uint32_t large_enough = region.non_empty >> order << order;
        if (large_enough == 0) continue;
        unsigned found = lowest_bit(large_enough);
        std::size_t index = region.free[found].lowest();
        region.take(found, index);
        while (found > order) {  // keep the lower half, give the upper one back
            --found;
            index *= 2;
            region.put(found, index + 1);
        }
        region.heads[order].set(index);
        totals_.free_frames -= std::uint64_t{1} << order;
        return hal::PhysAddr((region.base_frame + (index << order)) * page_bytes);
    }
    return Error::no_memory;
}

void Buddy::free(hal::PhysAddr block, unsigned order) {
    EXO_ASSERT(order <= largest_order);
    EXO_ASSERT(is_aligned(block.value(), page_bytes << order));
    const std::uint64_t frame = block.value() / page_bytes;
    EXO_ASSERT(region_of(frame) != nullptr);
    Region& region = const_cast<Region&>(*region_of(frame));
    std::size_t index = (frame - region.base_frame) >> order;
    EXO_ASSERT(region.heads[order].test(index));  // else: freed twice, never allocated, or with another order
    region.heads[order].clear(index);
    totals_.free_frames += std::uint64_t{1} << order;
    for (; order < largest_order; ++order, index /= 2) {
        const std::size_t buddy = index ^ 1;
        if (buddy >= region.free[order].size() || !region.free[order].test(buddy)) break;
        region.take(order, buddy);
    }
    region.put(order, index);
}

bool Buddy::allocated(hal::PhysAddr block, unsigned order) const {
    const std::uint64_t frame = block.value() / page_bytes;
    const Region* region = region_of(frame);
    if (region == nullptr || order > largest_order || !is_aligned(block.value(), page_bytes << order)) return false;
    return region->heads[order].test((frame - region->base_frame) >> order);
}

FrameStats Buddy::stats() const {
    FrameStats stats = totals_;
    for (unsigned i = 0; i < region_count_; ++i)
        for (unsigned order = 0; order < block_orders; ++order)
            stats.free_blocks[order] += regions_[i].free_blocks[order];
    return stats;
}

const Buddy::Region* Buddy::region_of(std::uint64_t frame) const {
    for (unsigned i = 0; i < region_count_; ++i)
        if (frame >= regions_[i].first_frame && frame < regions_[i].end_frame) return &regions_[i];
    return nullptr;
}

}  // namespace exo
