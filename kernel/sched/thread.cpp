// SPDX-License-Identifier: MIT
// Making and unmaking threads: the object from a slab, the stack from the buddy with a guard page below.
#include <core/cpus.hpp>
#include <core/process.hpp>
#include <hal/context.hpp>
#include <lib/sizes.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>
#include <sched/completion.hpp>
#include <sched/reaper.hpp>
#include <sched/scheduler.hpp>
#include <sched/thread_internal.hpp>

namespace exo {

namespace {

constexpr std::size_t stack_pages = hal::kernel_stack_bytes / page_bytes;
constexpr unsigned stack_order = order_for_pages(stack_pages);

constinit ObjectCache<Thread> thread_cache{"thread"};
constinit Mailbox<Thread, &Thread::next_mail> dead_threads;
constinit WaitQueue reaper_work;
constinit WaitQueue reaper_idle;
constinit std::atomic<std::uint32_t> unreaped = 0;

void free_thread(Thread& thread) {
    hal::context_release(thread.context);
    hal::unmap_kernel_stack(thread.stack, thread.stack_block, stack_pages);
    frames_free(thread.stack_block, stack_order);
    if (thread.process != nullptr) {
        thread.process->release_space();  // its only thread is gone
        thread.process->unref();
    }
    Completion* gone = thread.gone;
    thread_cache.destroy(thread);
    if (gone != nullptr) gone->signal();
}

void reaper_main(void*) {
    hal::irq_disable();
    for (;;) {
        Thread* dead = dead_threads.take_all();
        if (dead == nullptr) {
            wait_unless(reaper_work, [] { return !dead_threads.empty(); });
            continue;
        }
        while (dead != nullptr) {
            Thread& thread = *dead;
            dead = thread.next_mail;
            free_thread(thread);
            if (unreaped.fetch_sub(1, std::memory_order_acq_rel) == 1) wake_all(reaper_idle);
        }
    }
}

// Tables of the kernel's half are never given back: whoever looks for leaks must know how many were taken.
constinit std::atomic<std::uint64_t> kernel_tables = 0;
constinit hal::TableFrames kernel_table_frames{[](void*) {
                                                   const hal::PhysAddr frame =
                                                       table_frames().allocate(table_frames().self);
                                                   if (frame != hal::no_frame)
                                                       kernel_tables.fetch_add(1, std::memory_order_relaxed);
                                                   return frame;
                                               },
                                               [](void*, hal::PhysAddr frame) {
                                                   kernel_tables.fetch_sub(1, std::memory_order_relaxed);
                                                   table_frames().release(table_frames().self, frame);
                                               },
                                               nullptr};
// Over the kernel's half of the page tables, where it grows. Entries of one stack are its thread's alone.
constinit SpinLock<Rank::space> kernel_half;

Result<> give_stack(Thread& thread) {
    thread.stack_block = EXO_TRY(frames_allocate(stack_order));
    {
        ScopedLock guard(kernel_half);
        thread.stack = hal::map_kernel_stack(thread.stack_block, stack_pages, kernel_table_frames);
    }
    if (!thread.stack.empty()) return {};
    frames_free(thread.stack_block, stack_order);
    return Error::no_memory;
}

}  // namespace

Result<Thread*> thread_create(std::string_view name, Priority priority, void (*entry)(void*), void* argument,
                              const ThreadOptions& options) {
    Thread* thread = EXO_TRY(thread_cache.make());
    if (Result<> stack = give_stack(*thread); !stack.ok()) {
        thread_cache.destroy(*thread);
        return stack.error();
    }
    thread->name = name;
    thread->priority = priority;
    thread->entry = entry;
    thread->argument = argument;
    thread->process = options.process;
    thread->gone = options.gone;
    if (thread->process != nullptr) thread->process->ref();
    thread->home = options.home ? &cpu_at(*options.home) : &this_cpu();
    thread_prepare(*thread);
    hal::IrqGuard masked;
    make_runnable(*thread);
    return thread;
}

std::uint64_t stack_table_frames() { return kernel_tables.load(std::memory_order_relaxed); }

Result<> reaper_init() {
    EXO_TRY(thread_create("reaper", priority_reaper, reaper_main, nullptr));
    return {};
}

void reaper_expect(Thread& thread) {
    if (!std::exchange(thread.counted_as_dying, true)) unreaped.fetch_add(1, std::memory_order_relaxed);
}

void reaper_add(Thread& thread) {
    dead_threads.post(thread);
    wake_one(reaper_work);
}

void reaper_settle() {
    hal::IrqGuard masked;
    const auto settled = [] { return unreaped.load(std::memory_order_acquire) == 0; };
    while (!settled()) wait_unless(reaper_idle, settled);
}

}  // namespace exo
