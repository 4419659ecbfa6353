// SPDX-License-Identifier: MIT
#include <sched/scheduler.hpp>

namespace exo {

namespace {

// The calling thread counts as blocked, but nobody can claim it yet.
Thread& begin(std::uint64_t deadline_ns) {
    Thread& self = *this_cpu().current;
    EXO_ASSERT(self.waiter_count == 0);
    self.state = ThreadState::blocked;
    self.wait_reason = WaitReason::woken;
    self.deadline_ns = deadline_ns;
    return self;
}

Waiter& next_waiter(Thread& self) {
    EXO_ASSERT(self.waiter_count < wait_objects_limit);
    Waiter& waiter = self.waiters[self.waiter_count++];
    waiter.thread = &self;
    return waiter;
}

}  // namespace

// A wait that is held is over in a moment: its holder masks interrupts and waits for nobody who holds it up.
bool wait_claim(Thread& thread) {
    for (;;) {
        WaitClaim seen = WaitClaim::waiting;
        if (thread.wait_claim.compare_exchange_strong(seen, WaitClaim::claimed, std::memory_order_acquire,
                                                      std::memory_order_relaxed))
            return true;
        if (seen == WaitClaim::claimed) return false;
        hal::relax();
    }
}

void wait_detach(Thread& claimed) {
    for (unsigned i = 0; i < claimed.waiter_count; ++i)
        if (WaitQueue* queue = claimed.waiters[i].queue) queue->remove(claimed.waiters[i]);
    claimed.waiter_count = 0;
}

bool WaitQueue::empty() const {
    ScopedLock guard(*lock_);
    return waiters_.empty();
}

void WaitQueue::add_locked(Waiter& waiter) {
    waiter.queue = this;
    waiters_.push_back(waiter);
}

void WaitQueue::add(Waiter& waiter) {
    ScopedLock guard(*lock_);
    add_locked(waiter);
}

void WaitQueue::unlink(Waiter& waiter) {
    waiters_.remove(waiter);
    waiter.queue = nullptr;
}

void WaitQueue::remove(Waiter& waiter) {
    ScopedLock guard(*lock_);
    unlink(waiter);
}

// A waiter that cannot be claimed is passed over: whoever won will unlink it in a moment.
Thread* WaitQueue::take_locked(WaitReason reason) {
    for (Waiter& waiter : waiters_) {
        Thread& thread = *waiter.thread;
        if (!wait_claim(thread)) continue;
        unlink(waiter);
        thread.wait_reason = reason;
        return &thread;
    }
    return nullptr;
}

Thread* WaitQueue::take(WaitReason reason) {
    Thread* thread = nullptr;
    {
        ScopedLock guard(*lock_);
        thread = take_locked(reason);
    }
    if (thread != nullptr) wait_detach(*thread);
    return thread;
}

Thread* WaitQueue::hold_locked() {
    for (Waiter& waiter : waiters_) {
        Thread& thread = *waiter.thread;
        if (!wait_claim(thread)) continue;
        EXO_ASSERT(thread.waiter_count == 1);
        thread.wait_claim.store(WaitClaim::held, std::memory_order_relaxed);
        unlink(waiter);
        return &thread;
    }
    return nullptr;
}

void WaitQueue::add_held(Thread& thread) {
    ScopedLock guard(*lock_);
    add_locked(thread.waiters[0]);
    thread.wait_claim.store(WaitClaim::waiting, std::memory_order_release);
}

Thread* WaitQueue::take_all_locked(WaitReason reason) {
    Thread* first = nullptr;
    Thread** end = &first;
    for (auto at = waiters_.begin(); at != waiters_.end();) {
        Waiter& waiter = *at++;
        Thread& thread = *waiter.thread;
        if (!wait_claim(thread)) continue;
        unlink(waiter);
        thread.wait_reason = reason;
        thread.next_mail = nullptr;
        *end = &thread;
        end = &thread.next_mail;
    }
    return first;
}

void WaitQueue::close(WaitReason reason) {
    wake_all(*this, reason);
    while (!empty()) hal::relax();
}

void wait_begin(std::initializer_list<WaitQueue*> queues, std::uint64_t deadline_ns) {
    if (queues.size() == 1) {
        WaitQueue& only = **queues.begin();
        ScopedLock guard(only.lock());
        return wait_begin_locked(only, deadline_ns);
    }
    Thread& self = begin(deadline_ns);
    for (WaitQueue* queue : queues) queue->add(next_waiter(self));
    self.wait_claim.store(WaitClaim::waiting, std::memory_order_release);
    // A waker that found us in an earlier queue could not claim us yet. It had changed what we wait for before it
    // looked: with a full barrier on both sides (its locked compare-and-swap), our look sees that change.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (deadline_ns != no_deadline) deadline_add(self);
}

// Claimable before the lock is let go: a waker that takes the lock next finds a thread whose wait it can end.
void wait_begin_locked(WaitQueue& queue, std::uint64_t deadline_ns) {
    Thread& self = begin(deadline_ns);
    queue.add_locked(next_waiter(self));
    self.wait_claim.store(WaitClaim::waiting, std::memory_order_release);
    // The heap is this CPU's own, and a waker elsewhere can make us runnable on this CPU only: both come later here.
    if (deadline_ns != no_deadline) deadline_add(self);
}

bool wait_cancel() {
    Thread& self = *this_cpu().current;
    if (!wait_claim(self)) {
        reschedule();  // we come back through the run queue or the mailbox
        return false;
    }
    wait_detach(self);
    deadline_remove(self);
    self.state = ThreadState::running;
    return true;
}

WaitReason wait_commit() {
    Thread& self = *this_cpu().current;
    reschedule();
    return self.wait_reason;
}

WaitReason wait_commit_and_run(Thread& next) {
    PerCpu& cpu = this_cpu();
    Thread& self = *cpu.current;
    if (next.home != &cpu || cpu.run_queue.has_above(next.priority)) {
        make_runnable(next);
        reschedule();
    } else {
        run_directly(next);
    }
    return self.wait_reason;
}

bool wake_one(WaitQueue& queue, WaitReason reason) {
    Thread* thread = queue.take(reason);
    if (thread == nullptr) return false;
    make_runnable(*thread);
    return true;
}

unsigned wake_all(WaitQueue& queue, WaitReason reason) {
    Thread* chain = nullptr;
    {
        ScopedLock guard(queue.lock());
        chain = queue.take_all_locked(reason);
    }
    return make_all_runnable(chain);
}

}  // namespace exo
