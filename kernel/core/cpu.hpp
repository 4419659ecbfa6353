// SPDX-License-Identifier: MIT
// What each CPU keeps for itself, reached through GS. The pointer must not be kept across a switch.
#pragma once
#include <hal/cpu.hpp>
#include <lib/mailbox.hpp>
#include <lib/pairing_heap.hpp>
#include <sched/run_queue.hpp>

namespace exo {

class AddressSpace;

inline bool sooner(const Thread& a, const Thread& b) { return a.deadline_ns < b.deadline_ns; }

struct PerCpu {
    hal::PerCpuHeader header{};  // first: the entry code finds its fields at fixed offsets
    hal::CpuIndex index = hal::CpuIndex::boot;
    Thread* current = nullptr;
    Thread idle;
    Mailbox<Thread, &Thread::next_mail> mailbox;  // woken threads of this CPU, from the others
    RunQueue run_queue;
    PairingHeap<Thread, &Thread::deadline_node, sooner> deadlines;
    std::uint64_t armed_ns = abi::no_deadline;  // when the timer will fire
    std::uint64_t tick_ns = abi::no_deadline;   // when a full slice has passed since tick_dispatches was noted
    // Whose tables are loaded; kernel threads keep what they find. Written here, looked at by who destroys a space.
    std::atomic<AddressSpace*> active_space = nullptr;
    std::uint64_t switches = 0;
    std::uint64_t dispatches = 0;  // threads taken out of the run queue; direct switches are none
    std::uint64_t tick_dispatches = 0;
    Thread* just_died = nullptr;  // switched away from for the last time; its stack is free once another runs
};

inline PerCpu& this_cpu() { return *static_cast<PerCpu*>(hal::per_cpu()); }

}  // namespace exo
