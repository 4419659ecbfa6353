// SPDX-License-Identifier: MIT
// Runnable threads of one CPU by priority: a bitmap of priorities that have any, a list each. Every operation is
// constant time at any number of threads. Only its own CPU touches it (others will send wake-ups by mailbox), so it
// needs interrupts masked and no lock.
#pragma once
#include <lib/bits.hpp>
#include <sched/thread.hpp>

namespace exo {

class RunQueue {
  public:
    void push_back(Thread& thread) {
        lists_[thread.priority].push_back(thread);
        used_ |= bit<std::uint32_t>(thread.priority);
        ++length_;
    }
    Thread* pop_most_urgent() {
        if (used_ == 0) return nullptr;
        const unsigned priority = highest_bit(used_);
        Thread* thread = lists_[priority].pop_front();
        if (lists_[priority].empty()) used_ &= ~bit<std::uint32_t>(priority);
        --length_;
        return thread;
    }
    bool empty() const { return used_ == 0; }
    // Is anyone runnable who is more urgent than `priority`, or (or_equal) as urgent?
    bool has_above(Priority priority) const { return used_ != 0 && highest_bit(used_) > priority; }
    bool has_at_least(Priority priority) const { return used_ != 0 && highest_bit(used_) >= priority; }
    std::uint32_t length() const { return length_; }

  private:
    List<Thread, &Thread::run_node> lists_[priorities];
    std::uint32_t used_ = 0;  // bit n: lists_[n] is not empty
    std::uint32_t length_ = 0;
};
static_assert(priorities == 32, "used_ has a bit a priority");

}  // namespace exo
