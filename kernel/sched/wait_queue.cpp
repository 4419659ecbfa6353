// SPDX-License-Identifier: MIT
#include <sched/scheduler.hpp>

namespace exo {

namespace {

// Takes a woken thread off everything it waited on.
void detach(Thread& thread, WaitReason reason) {
    for (unsigned i = 0; i < thread.waiter_count; ++i) thread.waiters[i].queue->remove(thread.waiters[i]);
    thread.waiter_count = 0;
    thread.wait_reason = reason;
    deadline_remove(thread);
}

}  // namespace

void WaitQueue::add(Waiter& waiter) {
    ScopedLock guard(lock_);
    waiter.queue = this;
    waiters_.push_back(waiter);
}

void WaitQueue::remove(Waiter& waiter) {
    ScopedLock guard(lock_);
    if (waiter.node.linked()) waiters_.remove(waiter);
}

Waiter* WaitQueue::pop() {
    ScopedLock guard(lock_);
    return waiters_.pop_front();
}

Thread* WaitQueue::take(WaitReason reason) {
    Waiter* waiter = pop();
    if (waiter == nullptr) return nullptr;
    detach(*waiter->thread, reason);
    return waiter->thread;
}

Thread* WaitQueue::move_first(WaitQueue& to) {
    Waiter* waiter = pop();
    if (waiter == nullptr) return nullptr;
    to.add(*waiter);
    return waiter->thread;
}

void wait_begin(std::initializer_list<WaitQueue*> queues, std::uint64_t deadline_ns) {
    Thread& self = *this_cpu().current;
    EXO_ASSERT(queues.size() <= wait_objects_limit);
    EXO_ASSERT(self.waiter_count == 0);
    self.state = ThreadState::blocked;
    self.wait_reason = WaitReason::woken;
    for (WaitQueue* queue : queues) {
        Waiter& waiter = self.waiters[self.waiter_count++];
        waiter.thread = &self;
        queue->add(waiter);
    }
    self.deadline_ns = deadline_ns;
    if (deadline_ns != no_deadline) deadline_add(self);
}

void wait_cancel() {
    Thread& self = *this_cpu().current;
    if (self.state != ThreadState::blocked) return reschedule();  // woken before: it is in the run queue
    detach(self, WaitReason::woken);
    self.state = ThreadState::running;
}

WaitReason wait_commit() {
    Thread& self = *this_cpu().current;
    reschedule();
    return self.wait_reason;
}

WaitReason wait_commit_and_run(Thread& next) {
    Thread& self = *this_cpu().current;
    if (this_cpu().run_queue.has_above(next.priority)) {
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
    unsigned woken = 0;
    while (wake_one(queue, reason)) ++woken;
    return woken;
}

}  // namespace exo
