// SPDX-License-Identifier: MIT
// The one wait core under everything that blocks. A wait is on one or several queues, has a deadline and ends with a
// reason. All calls with interrupts masked (an IrqGuard lives in the caller), never from an interrupt handler except
// wake_all and wake_one, which neither allocate, block nor switch.
//
//   wait_begin(queues..., deadline)   the thread counts as blocked from here on
//   look once more at what is waited for; wait_cancel() if it is there already (somebody may have woken us meanwhile)
//   wait_commit()                     switches away; the reason comes back
//
// Several CPUs. A wait ends once: whoever would end it (a waker, the deadline, the waiter itself by wait_cancel) must
// first win the claim, one compare-and-swap on the thread. The winner owns the thread until it makes it runnable: it
// alone unlinks the thread's waiters, each under its queue's lock, and may write its message. A loser leaves everything
// as it is. Two consequences carry the lifetimes:
//   - a waiter that is linked belongs to a thread that cannot run, so whoever holds the queue's lock may touch both;
//   - a queue that was seen empty under its lock is touched by nobody any more, and may be destroyed.
// A wake-up between wait_begin's queues and the look is remembered; one before wait_begin is not: hence the look.
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
using WaitLock = SpinLock<Rank::wait_queue>;

inline constexpr unsigned wait_objects_limit = 4;  // queues a thread can wait on at once

// Who may end a thread's wait. held: somebody moves it from one queue to another, and its deadline waits for that.
enum class WaitClaim : std::uint8_t { claimed, waiting, held };

struct Waiter {
    Thread* thread = nullptr;
    WaitQueue* queue = nullptr;  // that it is linked in; written by the thread's owner only
    ListNode node;
};

class WaitQueue {
  public:
    constexpr WaitQueue() : lock_(&own_lock_) {}
    // Several queues under one lock, for a rendezvous that must look at all of them at once.
    explicit constexpr WaitQueue(WaitLock& shared) : lock_(&shared) {}

    WaitLock& lock() { return *lock_; }
    bool empty() const;
    // The thread that has waited longest, claimed and off this queue and every other: the caller runs it or hands it to
    // make_runnable. Null if nobody waits.
    Thread* take(WaitReason);
    // The same with the lock held. The caller calls wait_detach on the thread when it has let go of the lock.
    Thread* take_locked(WaitReason);
    // The one that has waited longest, of those that wait on one queue only: off this queue, still blocked with its
    // deadline, and held, so that nothing can end its wait until add_held. Lock held. Null if nobody waits.
    Thread* hold_locked();
    void add_held(Thread&);
    // Ends every wait and returns when nobody is left who could still touch the queue. It may then be destroyed.
    void close(WaitReason);

    void add(Waiter&);
    void add_locked(Waiter&);
    void remove(Waiter&);  // by the waiter's owner
    // Claims and unlinks everybody; a chain by Thread::next_mail. Lock held.
    Thread* take_all_locked(WaitReason);

  private:
    void unlink(Waiter&);
    WaitLock own_lock_;
    WaitLock* const lock_;
    List<Waiter, &Waiter::node> waiters_;  // longest first
};

void wait_begin(std::initializer_list<WaitQueue*> queues, std::uint64_t deadline_ns = no_deadline);
// With the queue's lock held: what the caller saw under it is still so when it counts as waiting.
void wait_begin_locked(WaitQueue&, std::uint64_t deadline_ns = no_deadline);
// False if somebody had ended the wait already; the thread's wait_reason says how.
bool wait_cancel();
WaitReason wait_commit();
// As wait_commit, but goes straight to `next` (claimed, off its queues) without asking the scheduler, unless somebody
// more urgent is runnable or `next` lives on another CPU.
WaitReason wait_commit_and_run(Thread& next);
// Takes a claimed thread off the queues that it is still on. No lock held.
void wait_detach(Thread& claimed);
// True for the one who may end the thread's wait.
bool wait_claim(Thread&);

// For what nobody on another CPU wakes up for, or with a look that does not depend on this one (a loop, a deadline).
inline WaitReason wait_on(WaitQueue& queue, std::uint64_t deadline_ns = no_deadline) {
    wait_begin({&queue}, deadline_ns);
    return wait_commit();
}
// One wait, unless ready() holds once the thread counts as waiting: a change between the caller's last look and the
// wait is not missed. Whether it holds afterwards is for the caller to see.
template <typename Ready>
void wait_unless(WaitQueue& queue, Ready ready, std::uint64_t deadline_ns = no_deadline) {
    wait_begin({&queue}, deadline_ns);
    ready() ? (void)wait_cancel() : (void)wait_commit();
}
bool wake_one(WaitQueue&, WaitReason = WaitReason::woken);
// Does not touch the queue any more once the first is runnable.
unsigned wake_all(WaitQueue&, WaitReason = WaitReason::woken);

}  // namespace exo
