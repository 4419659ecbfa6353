// SPDX-License-Identifier: MIT
#include <abi/marks.hpp>
#include <core/boot_phases.hpp>
#include <core/cpus.hpp>
#include <core/log.hpp>
#include <core/process.hpp>
#include <core/results.hpp>
#include <core/settle.hpp>
#include <core/tour.hpp>
#include <core/tour_cpus.hpp>
#include <core/tour_threads.hpp>
#include <hal/timer.hpp>
#include <hal/user.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>
#include <sched/scheduler.hpp>
#include <syscall/table.hpp>
#include <user/faulter.hpp>
#include <user/init.hpp>

namespace exo {

namespace {

constexpr std::uint64_t ping_pong_rounds = 1000, call_rounds = 1000, ring_messages = 4096, null_calls = 1000,
                        allocation_rounds = 4000, allocation_burst = 64;
constexpr std::uint64_t spin_ns = 4 * slice_ns;  // how long each of two spinners computes

// Starts a program and waits for its end. Its process, for a look at how it ended. It and its children stay on this
// CPU, so that a step does the same whatever the number of CPUs.
Result<Ref<Process>> run_program(std::string_view name, std::uint64_t argument) {
    Ref<Process> process = EXO_TRY(Process::spawn(name, {}, argument, hal::cpu_index()));
    process->wait_for_end();
    return process;
}

bool ended_well(const Result<Ref<Process>>& process) {
    return process.ok() && !(*process)->killed() && (*process)->exit_status() == 0;
}

bool step_boot_phases() {
    std::uint64_t before = boot_entry_cycles();
    for (const BootPhase& phase : boot_phases()) {
        const std::uint64_t ns = (phase.cycles - before) * 1'000 / (hal::cycles_per_second() / 1'000'000);
        log("  {:<8} {:>8} ns\n", phase.name, ns);
        before = phase.cycles;
    }
    return true;
}

bool step_ping_pong() {
    const std::uint64_t rounds = tour_ping_pong(ping_pong_rounds);
    log("  {} round trips of 64 B between two kernel threads\n", rounds);
    return rounds == ping_pong_rounds;
}

bool step_call_and_reply() {
    const bool good = ended_well(run_program("init", user::init_argument(user::InitTask::call_and_reply, call_rounds)));
    log("  {} calls between two processes\n", call_rounds);
    return good;
}

bool step_shared_ring() {
    const bool good = ended_well(run_program("init", user::init_argument(user::InitTask::shared_ring, ring_messages)));
    log("  {} messages of 64 B between two processes\n", ring_messages);
    return good;
}

bool step_allocation() {
    for (std::uint64_t i = 0; i < allocation_rounds; ++i) {
        EXO_MARK_BEGIN(kernel.allocate_free_64);
        void* object = heap_allocate(64);
        if (object == nullptr) return false;
        heap_free(object, 64);
        EXO_MARK_END(kernel.allocate_free_64);
    }
    void* burst[allocation_burst];
    for (void*& object : burst) object = heap_allocate(64);
    bool good = true;
    for (void*& object : burst) {
        good &= object != nullptr;
        heap_free(object, 64);
    }
    log("  {} times 64 B taken and given back, then {} at once\n", allocation_rounds, allocation_burst);
    return good;
}

bool step_null_calls() {
    const bool good = ended_well(run_program("null_caller", null_calls));
    log("  {} null calls from ring 3\n", null_calls);
    return good;
}

struct Spinners {
    bool ended_well, both_preempted;
};
Spinners run_spinners(std::uint64_t ns) {
    Result<Ref<Process>> first = Process::spawn("spinner", {}, ns, hal::cpu_index());
    Result<Ref<Process>> second = run_program("spinner", ns);
    if (!first.ok()) return {false, false};
    (*first)->wait_for_end();
    if (!ended_well(first) || !ended_well(second)) return {false, false};
    return {true, (*first)->preemptions != 0 && (*second)->preemptions != 0};
}

// An emulator that its own host starves may let a program compute through within its slice: that one runs longer then.
bool step_preemption() {
    Spinners spinners{true, false};
    for (std::uint64_t factor = 1; factor <= 64 && spinners.ended_well && !spinners.both_preempted; factor *= 8)
        spinners = run_spinners(factor * spin_ns);
    if (!spinners.ended_well) return false;
    log("  two programs that never yield were preempted by the timer: {}\n",
        spinners.both_preempted ? "both" : "NOT BOTH");
    return spinners.both_preempted;
}

bool step_faults() {
    if (!hal::isolation_enforced) {
        log("  not enforced here\n");
        return true;
    }
    bool all_killed = true;
    for (std::uint64_t fault = 0; fault < static_cast<std::uint64_t>(user::Fault::count); ++fault) {
        const Result<Ref<Process>> process = run_program("faulter", fault);
        all_killed &= process.ok() && (*process)->killed();
    }
    return all_killed;
}

bool step_hostile_calls() {
    if (!hal::isolation_enforced) log("  bad pointers: not enforced here\n");
    const std::uint64_t unknown_before = unknown_syscalls();
    const bool good = ended_well(run_program("hostile", hal::isolation_enforced ? 1 : 0));
    log("  bad handles, numbers and pointers were answered; {} unknown calls counted\n",
        unknown_syscalls() - unknown_before);
    return good;
}

bool step_nothing_leaked();

// A mark is named by a literal, so each step has its own pair.
#define TOUR_STEP_IF(cpus, function, mark) \
    {                                      \
#mark, +[]() -> bool {                 \
            EXO_MARK_BEGIN_FENCED(tour.mark);  \
            const bool good = function();      \
            EXO_MARK_END_FENCED(tour.mark);    \
            return good;                       \
        }, cpus   \
    }
#define TOUR_STEP(function, mark) TOUR_STEP_IF(1, function, mark)

struct Step {
    std::string_view name;
    bool (*run)();
    unsigned cpus_needed = 1;
};
constexpr Step steps[] = {
    TOUR_STEP(step_boot_phases, boot_phases),   TOUR_STEP(step_ping_pong, ring_ping_pong),
    TOUR_STEP(step_call_and_reply, call_reply), TOUR_STEP(step_shared_ring, shared_ring),
    TOUR_STEP(step_allocation, allocation),     TOUR_STEP(step_null_calls, null_calls),
    TOUR_STEP(step_preemption, preemption),     TOUR_STEP(step_faults, faults),
    TOUR_STEP(step_hostile_calls, hostile),     TOUR_STEP_IF(2, tour_several_cpus, several_cpus),
    TOUR_STEP(step_nothing_leaked, leaks),
};
#undef TOUR_STEP
#undef TOUR_STEP_IF

std::uint64_t free_frames_at_start = 0;

bool step_nothing_leaked() {
    const std::uint64_t free_now = settled_free_frames();
    log("  frames missing after all that: {}\n", free_frames_at_start - free_now);
    return free_now == free_frames_at_start;
}

}  // namespace

bool tour_run() {
    free_frames_at_start = settled_free_frames();
    unsigned passed = 0, tried = 0;
    results_of_boot();
    for (const Step& step : steps) {
        if (cpus_running() < step.cpus_needed) continue;
        ++tried;
        log("tour: {}\n", step.name);
        const std::uint64_t start = hal::cycles();
        const bool good = step.run();
        result("tour", step.name, hal::cycles() - start, "cycles");
        if (!good) log("tour: {} FAILED\n", step.name);
        passed += good;
    }
    results_of_operations();
    log("tour: {} of {} steps passed\n", passed, tried);
    return passed == tried;
}

}  // namespace exo
