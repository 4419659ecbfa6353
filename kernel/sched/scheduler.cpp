// SPDX-License-Identifier: MIT
#include <core/process.hpp>
#include <hal/smp.hpp>
#include <hal/timer.hpp>
#include <hal/upcalls.hpp>
#include <hal/user.hpp>
#include <sched/reaper.hpp>
#include <sched/scheduler.hpp>

namespace exo {

namespace {

// The timer fires at the earliest deadline, or at the end of the slice while somebody waits for the CPU. It is only
// ever moved forward in time here: one that fires early finds nothing due and is set again, which costs less than
// reprogramming it on every switch.
void arm_timer(PerCpu& cpu) {
    const Thread* first = cpu.deadlines.minimum();
    std::uint64_t wanted_ns = first == nullptr ? no_deadline : first->deadline_ns;
    if (cpu.tick_ns < wanted_ns) wanted_ns = cpu.tick_ns;
    if (wanted_ns >= cpu.armed_ns) return;
    cpu.armed_ns = wanted_ns;
    hal::timer_arm(wanted_ns);
}

void start_slice_clock(PerCpu& cpu) {
    if (cpu.tick_ns != no_deadline || cpu.run_queue.empty()) return;
    cpu.tick_ns = hal::now_ns() + slice_ns;
    cpu.tick_dispatches = cpu.dispatches;
    arm_timer(cpu);
}

// In the thread that was switched to: what its predecessor could not do for itself. The space goes first: the reaper
// may take it apart on another CPU at once, and a CPU that runs no process keeps the tables it finds.
void after_switch() {
    PerCpu& cpu = this_cpu();
    if (cpu.just_died == nullptr) return;
    Thread& dead = *std::exchange(cpu.just_died, nullptr);
    if (dead.process != nullptr) leave_space(dead.process->space());
    reaper_add(dead);
}

void enter_space(PerCpu& cpu, AddressSpace& space) {
    if (cpu.active_space.load(std::memory_order_relaxed) == &space) return;
    cpu.active_space.store(&space, std::memory_order_relaxed);
    space.activate();
}

// The end of a claimed thread's way here: its home.
void admit(PerCpu& cpu, Thread& thread) {
    EXO_DEBUG_ASSERT(thread.waiter_count == 0);
    deadline_remove(thread);
    thread.state = ThreadState::runnable;
    cpu.run_queue.push_back(thread);
    if (thread.priority > cpu.current->priority) cpu.header.work_pending = 1;
    else if (cpu.current->process != nullptr) start_slice_clock(cpu);
}

void switch_to(PerCpu& cpu, Thread& next) {
    Thread& previous = *cpu.current;
    EXO_DEBUG_ASSERT(!hal::irq_enabled());
    if (&next == &previous) {
        next.state = ThreadState::running;
        return;
    }
    ++cpu.switches;
    cpu.current = &next;
    next.state = ThreadState::running;
    if (next.process != nullptr) {
        enter_space(cpu, next.process->space());
        hal::set_user_return_stack(next.stack.data() + next.stack.size());
        start_slice_clock(cpu);
    }
    hal::context_switch(previous.context, next.context);
    after_switch();
}

// Where a new thread begins: interrupts are off, as after every switch.
void thread_main(void* self) {
    after_switch();
    auto& thread = *static_cast<Thread*>(self);
    hal::irq_enable();
    thread.entry(thread.argument);
    thread_exit();
}

constinit std::atomic<std::uint32_t> next_thread_id = 1;

}  // namespace

void scheduler_init() {
    PerCpu& cpu = this_cpu();
    cpu.idle.name = "idle";
    cpu.idle.priority = priority_idle;
    cpu.idle.state = ThreadState::running;
    cpu.idle.home = &cpu;
    cpu.current = &cpu.idle;
}

void thread_prepare(Thread& thread) {
    thread.id = next_thread_id.fetch_add(1, std::memory_order_relaxed);
    thread.context = hal::context_make(thread.stack, thread_main, &thread);
}

void make_runnable(Thread& thread) {
    PerCpu& cpu = this_cpu();
    if (thread.home == &cpu) return admit(cpu, thread);
    PerCpu& home = *thread.home;  // before the post: afterwards the thread may run, and end
    if (home.mailbox.post(thread)) hal::send_interrupt(home.index, hal::Interrupt::wake);
}

unsigned make_all_runnable(Thread* chain) {
    unsigned count = 0;
    for (; chain != nullptr; ++count) {
        Thread& thread = *chain;
        chain = thread.next_mail;
        wait_detach(thread);
        make_runnable(thread);
    }
    return count;
}

void take_mail() {
    PerCpu& cpu = this_cpu();
    for (Thread* thread = cpu.mailbox.take_all(); thread != nullptr;) {
        Thread* next = thread->next_mail;
        admit(cpu, *thread);
        thread = next;
    }
}

void yield() {
    PerCpu& cpu = this_cpu();
    Thread& self = *cpu.current;
    take_mail();
    if (!cpu.run_queue.has_at_least(self.priority)) return;
    self.state = ThreadState::runnable;
    if (&self != &cpu.idle) cpu.run_queue.push_back(self);
    reschedule();
}

void reschedule() {
    PerCpu& cpu = this_cpu();
    take_mail();
    cpu.header.work_pending = 0;
    Thread* next = cpu.run_queue.pop_most_urgent();
    if (next != nullptr) ++cpu.dispatches;
    switch_to(cpu, next == nullptr ? cpu.idle : *next);
}

void run_directly(Thread& next) {
    deadline_remove(next);
    switch_to(this_cpu(), next);
}

// Again after each turn: the switch back here may have made somebody runnable (the reaper, for who died).
void preempt_if_needed() {
    while (this_cpu().header.work_pending != 0) {
        PerCpu& cpu = this_cpu();
        cpu.header.work_pending = 0;
        if (!cpu.run_queue.has_at_least(cpu.current->priority)) return;
        ++cpu.current->preemptions;
        yield();
    }
}

void timer_expired() {
    PerCpu& cpu = this_cpu();
    cpu.armed_ns = no_deadline;
    const std::uint64_t now = hal::now_ns();
    for (Thread* due = cpu.deadlines.minimum(); due != nullptr && due->deadline_ns <= now;
         due = cpu.deadlines.minimum()) {
        deadline_remove(*due);
        if (!wait_claim(*due)) continue;  // a waker was first: the thread comes by mail
        due->wait_reason = WaitReason::timeout;
        wait_detach(*due);
        admit(cpu, *due);
    }
    if (cpu.tick_ns <= now) {
        // Not switches: two threads that call each other directly use up their slice together.
        const bool nobody_had_a_turn = cpu.dispatches == cpu.tick_dispatches;
        if (nobody_had_a_turn && cpu.run_queue.has_at_least(cpu.current->priority)) cpu.header.work_pending = 1;
        cpu.tick_ns = no_deadline;
        start_slice_clock(cpu);
    }
    arm_timer(cpu);
}

void borrow_space(AddressSpace& space) { enter_space(this_cpu(), space); }

void leave_space(AddressSpace& space) {
    hal::IrqGuard masked;
    PerCpu& cpu = this_cpu();
    if (cpu.active_space.load(std::memory_order_relaxed) != &space) return;
    cpu.active_space.store(nullptr, std::memory_order_relaxed);
    hal::activate(hal::kernel_page_table());
}

void deadline_add(Thread& thread) {
    PerCpu& cpu = this_cpu();
    cpu.deadlines.insert(thread);
    arm_timer(cpu);
}

void deadline_remove(Thread& thread) {
    if (thread.deadline_node.linked) this_cpu().deadlines.remove(thread);
    thread.deadline_ns = no_deadline;
}

[[noreturn]] void thread_exit() {
    hal::irq_disable();
    PerCpu& cpu = this_cpu();
    Thread& self = *cpu.current;
    reaper_expect(self);
    self.reply_to.close(WaitReason::dead);
    self.state = ThreadState::dead;
    cpu.just_died = &self;
    reschedule();
    EXO_ASSERT(!"a dead thread was scheduled");
    __builtin_unreachable();
}

[[noreturn]] void idle_loop() {
    hal::irq_disable();
    for (;;) {
        PerCpu& cpu = this_cpu();
        // Mail that comes after this look brings an interrupt, which ends the halt.
        if (!cpu.run_queue.empty() || !cpu.mailbox.empty()) reschedule();
        else hal::halt_until_interrupt();
    }
}

}  // namespace exo
