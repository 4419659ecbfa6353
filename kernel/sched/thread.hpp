// SPDX-License-Identifier: MIT
// A thread: a 16-byte context, a kernel stack with a guard page, a place in at most one run queue, and what it waits
// for. Threads of a process enter ring 3 from their kernel stack; kernel threads never leave the kernel. A thread lives
// on one CPU, its home: only that one runs it, queues it and knows its deadline.
#pragma once
#include <atomic>
#include <hal/context.hpp>
#include <lib/pairing_heap.hpp>
#include <lib/result.hpp>
#include <optional>
#include <sched/wait_queue.hpp>
#include <string_view>

namespace exo {

class Process;
class Completion;
struct PerCpu;

enum class ThreadState : std::uint8_t { runnable, running, blocked, dead };
using Priority = std::uint8_t;  // 0 .. priorities - 1, higher runs first
inline constexpr unsigned priorities = 32;
inline constexpr Priority priority_idle = 0, priority_user = 8, priority_kernel = 16, priority_reaper = 24;

struct Thread {
    hal::Context context{};
    PerCpu* home = nullptr;
    Thread* next_mail = nullptr;                // in its home's mailbox, among the dead, or in a chain of woken ones
    ThreadState state = ThreadState::runnable;  // the home CPU's
    Priority priority = priority_kernel;
    std::uint32_t id = 0;
    std::string_view name;
    Process* process = nullptr;  // null: kernel thread
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;

    std::span<std::byte> stack;  // usable bytes; empty for the boot thread, whose stack is the image's
    hal::PhysAddr stack_block;

    ListNode run_node;  // in the home's run queue
    std::uint64_t preemptions = 0;

    std::atomic<WaitClaim> wait_claim = WaitClaim::claimed;
    Waiter waiters[wait_objects_limit];  // these three: the thread's own, then whoever's claimed its wait
    std::uint8_t waiter_count = 0;
    WaitReason wait_reason = WaitReason::woken;
    std::uint64_t deadline_ns = no_deadline;  // the home CPU's, as its node
    HeapNode deadline_node;

    // Call and reply: the message that came or goes, who sent it, and the caller this thread owes a reply.
    std::uint64_t message[4] = {};
    std::uint64_t badge = 0;
    WaitQueue reply_to;  // at most one waiter: the one-shot reply right

    bool counted_as_dying = false;
    Completion* gone = nullptr;  // signalled when the thread and its stack have been given back
};

struct ThreadOptions {
    Process* process = nullptr;
    std::optional<hal::CpuIndex> home = std::nullopt;  // a CPU that runs (core/cpus.hpp); none: the caller's
    Completion* gone = nullptr;                        // lives until it is signalled
};

// A new runnable kernel thread; starts with interrupts on. Fails with no_memory. The name lives for ever. On another
// CPU than the caller's, it may have ended before the call returns.
Result<Thread*> thread_create(std::string_view name, Priority, void (*entry)(void*), void* argument,
                              const ThreadOptions& = {});
// Frames that tables for kernel stacks hold, for good.
std::uint64_t stack_table_frames();
// The calling thread ends. Interrupts on or off.
[[noreturn]] void thread_exit();

}  // namespace exo
