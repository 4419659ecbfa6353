// SPDX-License-Identifier: MIT
// A machine with managed memory for each test. Every test must leave the frames exactly as it found them, down to how
// they are merged: what it forgot to give back fails it.
#pragma once
#include <gtest/gtest.h>

#include <host/machine.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>

namespace exo::test {

class MemoryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        frames_init(machine_.boot_info().memory);
        initial_ = frame_stats();
        ASSERT_GT(initial_.free_frames, 1000u);
    }
    void TearDown() override {
        frames_fail_nth(0);
        expect_all_returned();
    }
    void expect_all_returned() {
        slab_trim();
        EXPECT_EQ(frame_stats(), initial_);
    }
    // Calls attempt() with the first, second, ... frame allocation failing until it succeeds; it must then have
    // succeeded without meeting the failure. After each failure nothing may be missing. Returns the failures seen.
    template <typename Attempt>
    int fail_at_each_step(Attempt attempt) {
        for (int nth = 1; nth < 10000; ++nth) {
            expect_all_returned();  // also empties the caches, so that slabs are asked for again
            frames_fail_nth(static_cast<std::uint64_t>(nth));
            const bool succeeded = attempt();
            frames_fail_nth(0);
            if (succeeded) return nth - 1;
            expect_all_returned();
            if (HasFailure()) break;
        }
        ADD_FAILURE() << "never succeeded";
        return -1;
    }

    hal::HostMachine machine_{{.memory_bytes = std::size_t{32} << 20}};
    FrameStats initial_;
};

}  // namespace exo::test
