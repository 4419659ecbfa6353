// SPDX-License-Identifier: MIT
// The buddy allocator beside a model that knows of each frame only whether it is free. Because blocks merge as soon as
// they can, the free blocks of every order follow from the set of free frames alone; that is checked too.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <mem/buddy.hpp>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace exo {
namespace {

constexpr std::uint64_t frame_bytes = page_bytes;

// Ranges of pretended physical memory; only their first pages, where the metadata goes, are ever touched.
class Memory {
  public:
    explicit Memory(std::uint64_t bytes)
        : bytes_(bytes), base_(static_cast<std::byte*>(std::aligned_alloc(page_bytes, bytes))) {}
    ~Memory() { std::free(base_); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    std::byte* at(std::uint64_t offset) const { return base_ + offset; }
    std::uint64_t bytes() const { return bytes_; }

  private:
    std::uint64_t bytes_;
    std::byte* base_;
};

class Model {
  public:
    void add_free(std::uint64_t first, std::uint64_t frames) {
        for (std::uint64_t i = 0; i < frames; ++i) ASSERT_TRUE(free_.insert(first + i).second);
    }
    void take(std::uint64_t first, std::uint64_t frames) {
        for (std::uint64_t i = 0; i < frames; ++i) ASSERT_EQ(free_.erase(first + i), 1u) << "frame handed out twice";
    }
    // Largest aligned runs: what an allocator that merges all it can must have.
    std::array<std::uint64_t, block_orders> blocks() const {
        std::array<std::uint64_t, block_orders> count{};
        for (auto at = free_.begin(); at != free_.end();) {
            unsigned order = 0;
            const std::uint64_t first = *at;
            std::uint64_t run = 1;
            for (auto next = std::next(at); next != free_.end() && *next == first + run; ++next)
                if (++run == 1u << largest_order) break;
            while (order < largest_order && first % (2u << order) == 0 && run >= (2u << order)) ++order;
            ++count[order];
            std::advance(at, 1l << order);
        }
        return count;
    }
    std::uint64_t size() const { return free_.size(); }

  private:
    std::set<std::uint64_t> free_;
};

struct Block {
    hal::PhysAddr start;
    unsigned order;
};

class BuddyTest : public ::testing::Test {
  protected:
    // `start` is a physical address; the range is mapped anywhere.
    void add(std::uint64_t start, std::uint64_t bytes) {
        const FrameStats before = buddy_->stats();
        memory_.push_back(std::make_unique<Memory>(align_up(bytes, 4096ul) + 4096));
        buddy_->add({hal::PhysAddr(start), bytes}, memory_.back()->at(start % page_bytes));
        const FrameStats after = buddy_->stats();
        const std::uint64_t frames = after.total_frames - before.total_frames;
        model_.add_free((start + bytes) / frame_bytes - frames, frames);
    }
    void check() {
        const FrameStats stats = buddy_->stats();
        ASSERT_EQ(stats.free_frames, model_.size());
        ASSERT_EQ(stats.free_blocks, model_.blocks());
    }
    bool allocate(unsigned order) {
        const auto block = buddy_->allocate(order);
        if (!block) {
            EXPECT_EQ(block.error(), Error::no_memory);
            return false;
        }
        EXPECT_TRUE(is_aligned(block->value(), page_bytes << order));
        EXPECT_TRUE(buddy_->allocated(*block, order));
        model_.take(block->value() / frame_bytes, 1u << order);
        blocks_.push_back({*block, order});
        return true;
    }
    void free(std::size_t index) {
        const Block block = blocks_[index];
        blocks_[index] = blocks_.back();
        blocks_.pop_back();
        buddy_->free(block.start, block.order);
        EXPECT_FALSE(buddy_->allocated(block.start, block.order));
        model_.add_free(block.start.value() / frame_bytes, 1u << block.order);
    }

    std::unique_ptr<Buddy> buddy_ = std::make_unique<Buddy>();
    std::vector<std::unique_ptr<Memory>> memory_;
    Model model_;
    std::vector<Block> blocks_;
    std::mt19937_64 random_{6};
};

TEST_F(BuddyTest, RandomOperationsMatchTheModel) {
    add(0x10'0000, 9 * MiB + 12 * KiB);
    add(0x1'0000'1000, 3 * MiB - 4 * KiB);
    add(0x4000'0000, 4 * MiB);
    const FrameStats initial = buddy_->stats();
    check();
    for (int step = 0; step < 30000; ++step) {
        const bool filling = (step / 1500) % 2 == 0;
        const unsigned order = static_cast<unsigned>(random_() % 4 != 0 ? random_() % 4 : random_() % 12);
        if (random_() % 8 < (filling ? 5u : 3u)) allocate(order);
        else if (!blocks_.empty()) free(random_() % blocks_.size());
        if (step % 50 == 0) check();
        if (HasFatalFailure()) return;
    }
    while (!blocks_.empty()) free(random_() % blocks_.size());
    check();
    EXPECT_EQ(buddy_->stats(), initial);
}

TEST_F(BuddyTest, EveryOrderIsExhaustedAndRecovers) {
    add(0x20'3000, 8 * MiB + 5 * page_bytes);
    const FrameStats initial = buddy_->stats();
    for (unsigned order = 0; order < block_orders; ++order) {
        while (allocate(order)) {
        }
        for (unsigned larger = order; larger < block_orders; ++larger)
            EXPECT_EQ(buddy_->stats().free_blocks[larger], 0u);
        check();
        if (order == 0) {
            EXPECT_EQ(buddy_->stats().free_frames, 0u);
        }
        while (!blocks_.empty()) free(random_() % blocks_.size());
        ASSERT_EQ(buddy_->stats(), initial) << "order " << order;
    }
}

TEST_F(BuddyTest, FragmentedMemoryServesNoLargeBlockUntilItMerges) {
    add(0, 4 * MiB);
    while (allocate(0)) {
    }
    std::vector<Block> kept;
    for (const Block& block : std::vector<Block>(std::exchange(blocks_, {}))) {
        if ((block.start.value() / page_bytes) % 2 == 0)
            buddy_->free(block.start, 0), model_.add_free(block.start.value() / page_bytes, 1);
        else kept.push_back(block);
    }
    check();
    EXPECT_FALSE(allocate(1));
    for (const Block& block : kept) buddy_->free(block.start, 0), model_.add_free(block.start.value() / page_bytes, 1);
    check();
    EXPECT_TRUE(allocate(9));
}

TEST_F(BuddyTest, OddRangesAreRoundedInwardsOrIgnored) {
    add(0x10'0801, 3 * page_bytes);  // 2 whole pages, 1 of them metadata
    EXPECT_EQ(buddy_->stats().total_frames, 1u);
    check();
    add(0x20'0fff, 2 * page_bytes);  // 1 whole page: not worth managing
    EXPECT_EQ(buddy_->stats().ignored_frames, 1u);
    add(0x30'0000, 100);
    add(0x40'0000, 0);
    EXPECT_EQ(buddy_->stats().total_frames, 1u);
    EXPECT_TRUE(allocate(0));
    EXPECT_FALSE(allocate(0));
}

TEST_F(BuddyTest, TooManyRangesAreCountedNotLost) {
    for (unsigned i = 0; i < Buddy::regions_limit + 2; ++i) add(i * 16 * MiB, 8 * page_bytes);
    EXPECT_EQ(buddy_->stats().total_frames, Buddy::regions_limit * 7u);
    EXPECT_EQ(buddy_->stats().ignored_frames, 16u);
    while (allocate(0)) {
    }
    EXPECT_EQ(blocks_.size(), Buddy::regions_limit * 7u);
}

TEST_F(BuddyTest, AnEmptyAllocatorRefuses) {
    EXPECT_FALSE(allocate(0));
    EXPECT_FALSE(allocate(11));
    EXPECT_FALSE(allocate(~0u));
    EXPECT_EQ(buddy_->stats(), FrameStats{});
}

TEST_F(BuddyTest, MisuseAsserts) {
    add(0, 4 * MiB);
    const hal::PhysAddr block = *buddy_->allocate(3);
    const hal::PhysAddr other = *buddy_->allocate(3);
    EXPECT_DEATH(buddy_->free(block, 2), "heads\\[order\\]");
    EXPECT_DEATH(buddy_->free(block + page_bytes, 0), "heads\\[order\\]");
    EXPECT_DEATH(buddy_->free(block + page_bytes, 3), "is_aligned");
    EXPECT_DEATH(buddy_->free(block + 1, 0), "is_aligned");
    EXPECT_DEATH(buddy_->free(block, 11), "order <= largest_order");
    EXPECT_DEATH(buddy_->free(hal::PhysAddr(1 * GiB), 0), "region_of");
    EXPECT_DEATH(buddy_->free(hal::PhysAddr(0), 0), "region_of") << "the metadata is nobody's to free";
    EXPECT_DEATH(buddy_->add({hal::PhysAddr(3 * MiB), 2 * MiB}, nullptr), "start_frame");
    buddy_->free(other, 3);
    EXPECT_DEATH(buddy_->free(other, 3), "heads\\[order\\]");
    EXPECT_DEATH(buddy_->free(other, 4), "is_aligned|heads\\[order\\]");
}

}  // namespace
}  // namespace exo
