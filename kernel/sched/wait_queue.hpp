// SPDX-License-Identifier: MIT
// The one wait core under everything that blocks. A wait is on one or several queues, has a deadline and ends with a
// reason. All calls with interrupts masked (an IrqGuard lives in the caller), never from an interrupt handler except
// wake_all and wake_one, which neither allocate, block nor switch.
//
//   wait_begin(queues..., deadline)   the thread counts as blocked from here on
//   look once more at what is waited for; wait_cancel() if it is there already (somebody may have woken us meanwhile)
//   wait_commit()                     switches away; the reason comes back
#pragma once
#include <abi/syscall.hpp>
#include <core/lock.hpp>
#include <initializer_list>
#include <lib/list.hpp>

namespace exo {

struct Thread;
class WaitQueue;
using abi::no_deadline;
using abi::WaitReason;

inline constexpr unsigned wait_objects_limit = 4;  // queues a thread can wait on at once

struct Waiter {
    Thread* thread = nullptr;
    WaitQueue* queue = nullptr;
    ListNode node;
};

class WaitQueue {
  public:
    constexpr WaitQueue() = default;
    bool empty() const { return waiters_.empty(); }
    // The thread that has waited longest, still blocked, off this queue and every other: the caller runs it or hands it
    // to make_runnable. Null if nobody waits.
    Thread* take(WaitReason);
    // Moves the one that has waited longest to another queue; it stays blocked with its deadline. Null if nobody waits.
    Thread* move_first(WaitQueue& to);
    void add(Waiter&);
    void remove(Waiter&);  // nothing if it is not on this queue any more

  private:
    Waiter* pop();
    SpinLock<Rank::wait_queue> lock_;
    List<Waiter, &Waiter::node> waiters_;  // longest first
};

void wait_begin(std::initializer_list<WaitQueue*> queues, std::uint64_t deadline_ns = no_deadline);
void wait_cancel();
WaitReason wait_commit();
// As wait_commit, but goes straight to `next` (blocked, taken off its queue) without asking the scheduler, unless
// somebody more urgent is runnable.
WaitReason wait_commit_and_run(Thread& next);

inline WaitReason wait_on(WaitQueue& queue, std::uint64_t deadline_ns = no_deadline) {
    wait_begin({&queue}, deadline_ns);
    return wait_commit();
}
bool wake_one(WaitQueue&, WaitReason = WaitReason::woken);
unsigned wake_all(WaitQueue&, WaitReason = WaitReason::woken);

}  // namespace exo
