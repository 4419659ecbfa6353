// SPDX-License-Identifier: MIT
// A kernel that is up, for tests of what needs threads. The kernel's globals are those of one boot, so each test boots
// its own in a child process; the frames must be, down to how they are merged, what they were before the test's body.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <core/cpus.hpp>
#include <core/process.hpp>
#include <core/settle.hpp>
#include <functional>
#include <hal/timer.hpp>
#include <hal/user.hpp>
#include <host/machine.hpp>
#include <lib/sizes.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>
#include <sched/reaper.hpp>
#include <sched/scheduler.hpp>
#include <vector>

namespace exo::test {

// Everything that is cached has been given back, everybody who died is gone.
inline FrameStats settled_frames() {
    reaper_settle();
    slab_trim();
    return frame_stats();
}

class KernelTest : public ::testing::Test {
  protected:
    // Runs the body on a kernel thread of the boot CPU, interrupts on. Failures in it are printed by the child and fail
    // the test. With several CPUs, frames are only counted, and other CPUs' threads must not use GoogleTest.
    static void in_kernel(const std::function<void()>& body, std::size_t memory_bytes = 32 * MiB, unsigned cpus = 1) {
        std::fflush(nullptr);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) boot_and_exit(body, memory_bytes, cpus);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
        EXPECT_EQ(WEXITSTATUS(status), 0) << "the kernel's process reports the failure above";
    }
    // Calls attempt() with the first, second, ... frame allocation failing until the failure is not met any more: a
    // cache that fills up in advance may do without. After each call nothing may be missing. Returns the failures seen.
    template <typename Attempt>
    static int fail_at_each_step(Attempt attempt) {
        const FrameStats before = settled_frames();
        int failures = 0, good_in_a_row = 0;
        for (int nth = 1; nth < 1000; ++nth) {
            frames_fail_nth(static_cast<std::uint64_t>(nth));
            const bool succeeded = attempt();
            frames_fail_nth(0);
            EXPECT_EQ(settled_frames(), before) << "failure " << nth;
            failures += !succeeded;
            good_in_a_row = succeeded ? good_in_a_row + 1 : 0;
            if (good_in_a_row == 10 || HasFailure()) return failures;
        }
        ADD_FAILURE() << "never succeeded";
        return -1;
    }
    // A kernel thread that runs a function object, which must live until the thread has ended.
    static Result<Thread*> start(Priority priority, const std::function<void()>& body) {
        const auto entry = [](void* raw) { (*static_cast<const std::function<void()>*>(raw))(); };
        return thread_create("actor", priority, entry, const_cast<std::function<void()>*>(&body));
    }
    // Lets everyone of at least the caller's priority run until all of them are blocked or gone.
    static void let_others_run() {
        hal::IrqGuard masked;
        while (this_cpu().run_queue.has_at_least(this_cpu().current->priority)) yield();
    }
    // The same for every thread and program, whatever its priority.
    static void let_everyone_run() {
        WaitQueue last;
        const std::function<void()> body = [&] {
            hal::IrqGuard masked;
            wake_all(last);
        };
        hal::IrqGuard masked;
        ASSERT_TRUE(start(priority_idle + 1, body).ok());
        wait_on(last);
    }
    static void wait_for_end(Process& process) { process.wait_for_end(); }

  private:
    struct Boot {
        hal::HostMachine& machine;
        const std::function<void()>& body;
    };
    [[noreturn]] static void boot_and_exit(const std::function<void()>& body, std::size_t memory_bytes, unsigned cpus) {
        alarm(110);  // a kernel that hangs dies before ctest loses patience
        hal::HostMachine machine({.memory_bytes = memory_bytes, .cpus = cpus, .capture_console = true, .seed = 1});
        Boot boot{machine, body};
        const auto end = machine.run(kernel_start, &boot);
        if (end != hal::PowerOff::success) std::printf("the kernel stopped: %s\n", machine.console().c_str());
        std::fflush(nullptr);
        _exit(end != hal::PowerOff::success || HasFailure() ? 1 : 0);
    }
    // What kernel_main does, with another thread than a scenario's.
    static void kernel_start(void* raw) {
        static PerCpu cpu;
        auto& boot = *static_cast<Boot*>(raw);
        hal::cpu_init(hal::CpuIndex::boot);
        hal::per_cpu_set(&cpu);
        frames_init(boot.machine.boot_info().memory);
        ASSERT_EQ(hal::mmu_init(boot.machine.boot_info(), table_frames()), hal::MmuResult::ok);
        hal::timer_init();
        scheduler_init();
        cpu_join(cpu);
        cpus_start();
        ASSERT_TRUE(reaper_init().ok());
        ASSERT_TRUE(thread_create("test", priority_kernel, test_main, &boot).ok());
        idle_loop();
    }
    static void test_main(void* raw) {
        const std::uint64_t free_before = settled_free_frames();
        const FrameStats before = settled_frames();
        static_cast<Boot*>(raw)->body();
        EXPECT_EQ(settled_free_frames(), free_before) << "frames are missing";
        if (cpus_running() == 1) {
            EXPECT_EQ(settled_frames(), before) << "frames are missing";
        }
        hal::irq_disable();
        hal::power_off(hal::PowerOff::success);
    }
};

// A linked program for a test: NAME(argument) { ... }; returning is exit(0).
inline void use_programs(std::span<const hal::LinkedProgram> programs) { hal::host_register_programs(programs); }

}  // namespace exo::test
