// SPDX-License-Identifier: MIT
// Who runs next: priorities, turns, preemption, slices, starvation; threads that come and go without leaks.
#include <algorithm>
#include <atomic>
#include <ipc/endpoint.hpp>
#include <random>
#include <user/runtime.hpp>

#include "booted_kernel.hpp"

namespace exo {
namespace {

class SchedulerTest : public test::KernelTest {};

constexpr std::uint64_t patience_ns =
    20'000'000'000;  // ends a loop that would wait for ever; never met when all is well

TEST_F(SchedulerTest, RunQueueMatchesAModel) {
    std::mt19937_64 random(2);
    RunQueue queue;
    std::vector<Thread> threads(200);
    std::vector<std::vector<Thread*>> model(priorities);
    std::vector<Thread*> idle;
    for (Thread& thread : threads) idle.push_back(&thread);
    std::size_t length = 0;
    for (int step = 0; step < 100'000; ++step) {
        unsigned top = priorities;
        while (top-- > 0)
            if (!model[top].empty()) break;  // wraps round if all are empty
        const bool empty = length == 0;
        ASSERT_EQ(queue.empty(), empty);
        ASSERT_EQ(queue.length(), length);
        const auto asked = static_cast<Priority>(random() % priorities);
        ASSERT_EQ(queue.has_above(asked), !empty && top > asked);
        ASSERT_EQ(queue.has_at_least(asked), !empty && top >= asked);
        if (!idle.empty() && random() % 2 == 0) {
            Thread* thread = idle.back();
            idle.pop_back();
            thread->priority = static_cast<Priority>(random() % priorities);
            model[thread->priority].push_back(thread);
            queue.push_back(*thread);
            ++length;
        } else if (empty) {
            ASSERT_EQ(queue.pop_most_urgent(), nullptr);
        } else {
            ASSERT_EQ(queue.pop_most_urgent(), model[top].front());
            idle.push_back(model[top].front());
            model[top].erase(model[top].begin());
            --length;
        }
    }
    while (queue.pop_most_urgent() != nullptr) {
    }
}

TEST_F(SchedulerTest, UrgentFirstAndEqualsInOrderOfArrival) {
    in_kernel(
        [] {
            std::mt19937_64 random(3);
            struct Actor {
                unsigned number;
                Priority priority;
                std::function<void()> body;
            };
            std::vector<Actor> actors(200), ran;
            WaitQueue end;
            for (unsigned i = 0; i < actors.size(); ++i) {
                Actor& actor = actors[i];
                actor.number = i;
                actor.priority = static_cast<Priority>(1 + random() % (priorities - 1));
                actor.body = [&] {
                    ran.push_back({actor.number, actor.priority, {}});
                    hal::IrqGuard masked;
                    if (ran.size() == actors.size()) wake_all(end);
                };
                ASSERT_TRUE(start(actor.priority, actor.body).ok());
            }
            EXPECT_TRUE(ran.empty()) << "kernel threads are not preempted, not even by more urgent ones";
            {
                hal::IrqGuard masked;
                wait_on(end);
            }
            std::stable_sort(actors.begin(), actors.end(),
                             [](const Actor& a, const Actor& b) { return a.priority > b.priority; });
            ASSERT_EQ(ran.size(), actors.size());
            for (std::size_t i = 0; i < ran.size(); ++i) ASSERT_EQ(ran[i].number, actors[i].number) << i;
        },
        256 * MiB);
}

TEST_F(SchedulerTest, YieldTakesTurnsAmongEqualsAndIgnoresLower) {
    in_kernel([] {
        std::vector<unsigned> log;
        WaitQueue end;
        std::function<void()> bodies[5], lower = [&] {
            log.push_back(99);
            hal::IrqGuard masked;
            wake_all(end);
        };
        ASSERT_TRUE(start(priority_kernel - 1, lower).ok());
        for (unsigned i = 0; i < 5; ++i) {
            bodies[i] = [&log, i] {
                for (int turn = 0; turn < 100; ++turn) {
                    log.push_back(i);
                    hal::IrqGuard masked;
                    yield();
                }
            };
            ASSERT_TRUE(start(priority_kernel, bodies[i]).ok());
        }
        {
            hal::IrqGuard masked;
            wait_on(end);
        }
        ASSERT_EQ(log.size(), 501u);
        for (unsigned i = 0; i < 500; ++i) ASSERT_EQ(log[i], i % 5) << i;
        EXPECT_EQ(log.back(), 99u);
    });
}

TEST_F(SchedulerTest, PreemptPointGivesWayToTheMoreUrgentOnly) {
    in_kernel([] {
        std::vector<char> log;
        WaitQueue urgent_gate, equal_gate;
        const std::function<void()> urgent = [&] {
            hal::IrqGuard masked;
            wait_on(urgent_gate);
            log.push_back('u');
        };
        const std::function<void()> equal = [&] {
            hal::IrqGuard masked;
            wait_on(equal_gate);
            log.push_back('e');
        };
        ASSERT_TRUE(start(priority_kernel + 1, urgent).ok());
        ASSERT_TRUE(start(priority_kernel, equal).ok());
        let_others_run();
        const auto wake = [](WaitQueue& queue) {
            hal::IrqGuard masked;
            EXPECT_TRUE(wake_one(queue));
        };
        wake(equal_gate);
        preempt_point();
        EXPECT_TRUE(log.empty()) << "an equal one waits for its turn";
        wake(urgent_gate);
        log.push_back('1');
        preempt_point();
        log.push_back('2');
        let_others_run();
        EXPECT_EQ(std::string(log.begin(), log.end()).front(), '1');
        EXPECT_NE(std::string(log.begin(), log.end()).find("1u"), std::string::npos);
    });
}

std::atomic<unsigned> running_together = 0;
std::atomic<bool> goal_reached = false;

bool patience_left(std::uint64_t start_ns) { return hal::now_ns() - start_ns < patience_ns; }

// Each waits, computing, for all the others: ends only if the timer takes the CPU away from each in turn.
void meet(std::uint64_t count) {
    const std::uint64_t start_ns = hal::now_ns();
    ++running_together;
    while (running_together < count && patience_left(start_ns)) hal::user_relax();
    user::exit(running_together >= count ? 0 : 1);
}

TEST_F(SchedulerTest, SlicesLetEveryoneRunWhoNeverYields) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"meet", meet}};
        test::use_programs(programs);
        std::vector<Ref<Process>> processes;
        for (int i = 0; i < 12; ++i) processes.push_back(*Process::spawn("meet", {}, 12));
        for (Ref<Process>& process : processes) {
            wait_for_end(*process);
            EXPECT_EQ(process->exit_status(), 0);
        }
    });
}

void ping(std::uint64_t calls_limit) {
    std::uint64_t message[4] = {};
    for (std::uint64_t i = 0; !goal_reached && i < calls_limit; ++i) user::call(0, message);
    const bool good = goal_reached.exchange(true);
    user::call(0, message);  // the server's last
    user::exit(good ? 0 : 1);
}
void pong(std::uint64_t) {
    std::uint64_t message[4] = {};
    while (user::reply_and_wait(0, message, goal_reached ? 0 : user::no_deadline) >= 0) {
    }
}
void bystander(std::uint64_t) { goal_reached = true; }

// Direct switches do not go through the run queue, so a slice must end although the thread changes all the time.
TEST_F(SchedulerTest, APairThatCallsWithoutEndDoesNotStarveAThird) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"ping", ping}, {"pong", pong}, {"bystander", bystander}};
        test::use_programs(programs);
        Ref<Endpoint> endpoint = *Endpoint::create();
        const Grant serve{endpoint.get(), abi::right_serve}, call{endpoint.get(), abi::right_call};
        Ref<Process> server = *Process::spawn("pong", std::span(&serve, 1), 0);
        Ref<Process> client = *Process::spawn("ping", std::span(&call, 1), 300'000);
        {
            hal::IrqGuard masked;  // until both are at it
            WaitQueue nobody;
            wait_on(nobody, hal::now_ns() + 1'000'000);
        }
        Ref<Process> third = *Process::spawn("bystander", {}, 0);
        wait_for_end(*client);
        EXPECT_EQ(client->exit_status(), 0) << "the third thread never ran";
        wait_for_end(*server);
        wait_for_end(*third);
    });
}

// Computes, without a system call, until there is more free memory.
std::uint64_t free_frames = 0;
void watch_memory(std::uint64_t) {
    const std::uint64_t start_ns = hal::now_ns();
    while (frame_stats().free_frames <= free_frames && patience_left(start_ns)) hal::user_relax();
    user::exit(frame_stats().free_frames > free_frames ? 0 : 1);
}

// The reaper becomes runnable in the switch away from the dead thread. Its successor starts in ring 3 for the first
// time and makes no system call: somebody more urgent must not wait for one.
TEST_F(SchedulerTest, TheMoreUrgentRunBeforeAProgramIsEntered) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"watch", watch_memory}};
        test::use_programs(programs);
        const std::function<void()> end_at_once = [] {};
        ASSERT_TRUE(start(priority_user, end_at_once).ok());
        Ref<Process> watcher = *Process::spawn("watch", {}, 0);
        free_frames = frame_stats().free_frames;
        wait_for_end(*watcher);
        EXPECT_EQ(watcher->exit_status(), 0) << "the reaper did not run while a program computed";
    });
}

TEST_F(SchedulerTest, AThousandThreads) {
    in_kernel(
        [] {
            unsigned ended = 0;
            WaitQueue gate;
            const std::function<void()> body = [&] {
                hal::IrqGuard masked;
                wait_on(gate);
                yield();
                ++ended;
            };
            for (int i = 0; i < 1000; ++i) ASSERT_TRUE(start(priority_kernel, body).ok()) << i;
            let_others_run();
            {
                hal::IrqGuard masked;
                EXPECT_EQ(wake_all(gate), 1000u);
            }
            let_others_run();
            EXPECT_EQ(ended, 1000u);
        },
        768 * MiB);
}

TEST_F(SchedulerTest, CreationSurvivesEveryFailure) {
    in_kernel([] {
        bool ran = false;
        const std::function<void()> body = [&] { ran = true; };
        const int failures = fail_at_each_step([&] {
            ran = false;
            const Result<Thread*> thread = start(priority_kernel, body);
            if (!thread.ok()) {
                EXPECT_EQ(thread.error(), Error::no_memory);
            }
            let_others_run();
            EXPECT_EQ(ran, thread.ok());
            return thread.ok();
        });
        EXPECT_GE(failures, 1) << "at least the stack comes from the frames";
    });
}

TEST_F(SchedulerTest, ThreadsUntilMemoryIsGoneThenAllEnd) {
    in_kernel([] {
        for (int round = 0; round < 3; ++round) {
            unsigned made = 0, ran = 0;
            const std::function<void()> body = [&] { ++ran; };
            for (;; ++made) {
                const Result<Thread*> thread = start(priority_kernel, body);
                if (thread.ok()) continue;
                EXPECT_EQ(thread.error(), Error::no_memory);
                break;
            }
            EXPECT_GT(made, 10u);
            let_others_run();
            EXPECT_EQ(ran, made);
            reaper_settle();
        }
    });
}

TEST_F(SchedulerTest, SettlingWaitsForThreadsThatDieLater) {
    in_kernel([] {
        const FrameStats before = test::settled_frames();
        const std::function<void()> body = [] {
            hal::IrqGuard masked;
            yield();
        };
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(start(priority_reaper + 1, body).ok());
        let_others_run();
        EXPECT_EQ(test::settled_frames(), before);
        reaper_settle();  // nothing to wait for: comes back
    });
}

}  // namespace
}  // namespace exo
