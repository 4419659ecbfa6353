// SPDX-License-Identifier: MIT
// A source of table frames that counts what it has given out and can run dry.
#pragma once
#include "check.hpp"

namespace contract {

class CountedFrames {
  public:
    explicit CountedFrames(std::size_t limit = ~std::size_t{0}) : limit_(limit) {}
    CountedFrames(const CountedFrames&) = delete;
    CountedFrames& operator=(const CountedFrames&) = delete;

    hal::TableFrames& source() { return source_; }
    std::size_t in_use() const { return in_use_; }
    void set_limit(std::size_t frames) { limit_ = frames; }

  private:
    static hal::PhysAddr allocate(void* raw) {
        auto& self = *static_cast<CountedFrames*>(raw);
        if (self.in_use_ >= self.limit_) return hal::no_frame;
        const hal::PhysAddr frame = block_allocate(1);
        if (frame == no_block) return hal::no_frame;
        __builtin_memset(hal::phys_to_virt(frame), 0, hal::page_bytes);
        ++self.in_use_;
        return frame;
    }
    static void release(void* raw, hal::PhysAddr frame) {
        --static_cast<CountedFrames*>(raw)->in_use_;
        block_free(frame, 1);
    }

    hal::TableFrames source_{&allocate, &release, this};
    std::size_t in_use_ = 0;
    std::size_t limit_;
};

}  // namespace contract
