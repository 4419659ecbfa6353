// SPDX-License-Identifier: MIT
// Something that happens once: whoever waits for it, before or after, on any CPU, goes on. The flag lives under the
// queue's lock, so that who has returned from wait() may destroy it although signal() has only just returned, or is
// about to: signal() touches nothing after the lock.
#pragma once
#include <sched/scheduler.hpp>

namespace exo {

class Completion {
  public:
    constexpr Completion() = default;

    // What was written before is seen by who waited. Interrupts masked.
    void signal() {
        Thread* chain = nullptr;
        {
            ScopedLock guard(queue_.lock());
            done_.store(true, std::memory_order_release);
            chain = queue_.take_all_locked(WaitReason::dead);
        }
        make_all_runnable(chain);
    }
    // dead once it has happened, or timeout. Interrupts on or off; blocks.
    WaitReason wait(std::uint64_t deadline_ns = no_deadline) {
        hal::IrqGuard masked;
        {
            ScopedLock guard(queue_.lock());
            if (done_.load(std::memory_order_relaxed)) return WaitReason::dead;
            wait_begin_locked(queue_, deadline_ns);
        }
        return wait_commit();
    }
    // Just a look: it says nothing about whether signal() has let go.
    bool done() const { return done_.load(std::memory_order_acquire); }

  private:
    WaitQueue queue_;
    std::atomic<bool> done_ = false;
};

}  // namespace exo
