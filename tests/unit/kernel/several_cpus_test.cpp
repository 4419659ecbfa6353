// SPDX-License-Identifier: MIT
// Several CPUs, each a Linux thread here: wake-ups, deadlines and deaths that race across them, mailboxes, messages,
// panics. Under TSan these are the proof that what CPUs share is locked or atomic.
#include <array>
#include <atomic>
#include <core/panic.hpp>
#include <core/stress.hpp>
#include <core/tour_threads.hpp>
#include <hal/smp.hpp>
#include <ipc/endpoint.hpp>
#include <sched/completion.hpp>
#include <thread>
#include <user/host_programs.hpp>
#include <user/init.hpp>

#include "booted_kernel.hpp"

namespace exo {
namespace {

struct Letter {
    Letter* next = nullptr;
    unsigned sender = 0, number = 0;
};

TEST(MailboxTest, EverythingArrivesOnceAndInEachSendersOrder) {
    constexpr unsigned senders = 3, letters_each = 20'000;
    static std::array<std::array<Letter, letters_each>, senders> letters;
    Mailbox<Letter, &Letter::next> box;
    EXPECT_TRUE(box.empty());
    EXPECT_EQ(box.take_all(), nullptr);
    std::atomic<unsigned> first_posts = 0;
    std::vector<std::thread> threads;
    for (unsigned s = 0; s < senders; ++s)
        threads.emplace_back([&box, &first_posts, s] {
            for (unsigned i = 0; i < letters_each; ++i) {
                letters[s][i].sender = s;
                letters[s][i].number = i;
                first_posts += box.post(letters[s][i]);
            }
        });
    unsigned expected[senders] = {}, takes = 0, total = 0;
    while (total < senders * letters_each) {
        Letter* letter = box.take_all();
        takes += letter != nullptr;
        for (; letter != nullptr; letter = letter->next, ++total)
            ASSERT_EQ(letter->number, expected[letter->sender]++) << letter->sender;
        std::this_thread::yield();
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(first_posts, takes) << "each time that the box was found full, somebody had been told to say so";
}

class SeveralCpus : public test::KernelTest {
  protected:
    static void on_cpus(unsigned cpus, const std::function<void()>& body) { in_kernel(body, 64 * MiB, cpus); }

    // A thread on another CPU; end() returns when it is gone.
    class Remote {
      public:
        Remote(unsigned cpu, std::function<void()> body, Priority priority = priority_kernel) : body_(std::move(body)) {
            const auto entry = [](void* raw) { static_cast<Remote*>(raw)->body_(); };
            EXO_ASSERT(
                thread_create("remote", priority, entry, this, {.home = hal::CpuIndex(cpu), .gone = &gone_}).ok());
        }
        ~Remote() { end(); }
        void end() { gone_.wait(); }

      private:
        std::function<void()> body_;
        Completion gone_;
    };
};

TEST_F(SeveralCpus, AllStartAndEachRunsItsThreads) {
    on_cpus(4, [] {
        ASSERT_EQ(cpus_running(), 4u);
        for (unsigned i = 0; i < 4; ++i) {
            hal::CpuIndex seen = hal::CpuIndex::boot;
            Thread* self = nullptr;
            Remote remote(i, [&] {
                seen = hal::cpu_index();
                self = this_cpu().current;
            });
            remote.end();
            EXPECT_EQ(seen, hal::CpuIndex(i));
            EXPECT_NE(self, nullptr);
        }
    });
}

TEST_F(SeveralCpus, OneMachineAfterAnother) {
    for (unsigned cpus = 1; cpus <= 3; ++cpus) on_cpus(cpus, [cpus] { EXPECT_EQ(cpus_running(), cpus); });
}

// Two CPUs and a deadline all try to end each wait. Exactly one does.
TEST_F(SeveralCpus, AWaitEndsOnce) {
    on_cpus(3, [] {
        static WaitQueue bell;
        static std::atomic<bool> over = false;
        static std::atomic<unsigned> rung = 0;
        unsigned woken = 0, timeouts = 0;
        const auto ring = [] {
            while (!over) {
                {
                    hal::IrqGuard masked;
                    rung += wake_one(bell);
                }
                hal::relax();
            }
        };
        Remote first(1, ring), second(2, ring);
        for (int i = 0; i < 3000; ++i) {
            hal::IrqGuard masked;
            const std::uint64_t deadline_ns = hal::now_ns() + static_cast<std::uint64_t>(i % 40) * 100;
            const WaitReason reason = wait_on(bell, deadline_ns);
            woken += reason == WaitReason::woken;
            timeouts += reason == WaitReason::timeout;
        }
        over = true;
        first.end();
        second.end();
        EXPECT_EQ(woken + timeouts, 3000u);
        EXPECT_EQ(woken, rung);
        EXPECT_TRUE(bell.empty());
    });
}

// The same on two queues at once, with a change of mind now and then.
TEST_F(SeveralCpus, AWaitOnTwoQueuesEndsOnce) {
    on_cpus(3, [] {
        static WaitQueue bells[2];
        static std::atomic<bool> over = false;
        static std::atomic<unsigned> rung = 0;
        unsigned woken = 0;
        const auto ring = [](unsigned which) {
            while (!over) {
                {
                    hal::IrqGuard masked;
                    rung += wake_all(bells[which]);
                }
                hal::relax();
            }
        };
        Remote first(1, [&] { ring(0); }), second(2, [&] { ring(1); });
        for (int i = 0; i < 3000; ++i) {
            hal::IrqGuard masked;
            wait_begin({&bells[i % 2], &bells[1 - i % 2]}, hal::now_ns() + 2000);
            if (i % 3 == 0) woken += !wait_cancel() && this_cpu().current->wait_reason == WaitReason::woken;
            else woken += wait_commit() == WaitReason::woken;
        }
        over = true;
        first.end();
        second.end();
        EXPECT_EQ(woken, rung);
    });
}

TEST_F(SeveralCpus, ACompletionMayGoAsSoonAsItsWaiterReturns) {
    on_cpus(2, [] {
        static std::atomic<Completion*> next = nullptr;
        Remote signaller(1, [] {
            for (int i = 0; i < 2000; ++i) {
                Completion* completion = nullptr;
                while ((completion = next.exchange(nullptr)) == nullptr) hal::relax();
                hal::IrqGuard masked;
                completion->signal();
            }
        });
        for (int i = 0; i < 2000; ++i) {
            const auto completion = std::make_unique<Completion>();  // freed at once: ASan sees a late touch
            next = completion.get();
            EXPECT_EQ(completion->wait(), WaitReason::dead);
        }
    });
}

TEST_F(SeveralCpus, RingsAcrossCpus) {
    on_cpus(3, [] {
        EXPECT_EQ(tour_ping_pong(2000, hal::CpuIndex(1)), 2000u);
        EXPECT_EQ(tour_ping_pong(500, hal::CpuIndex(2)), 500u);
    });
}

// Servers on every CPU come and go, some with a call that they never answer; callers on every CPU, patient or not. Each
// call ends, and an answer is the answer to this call.
TEST_F(SeveralCpus, CallsEndWhenTheirServersDie) {
    on_cpus(4, [] {
        static Ref<Endpoint> endpoint;
        static std::atomic<unsigned> wrong = 0, answered = 0, died = 0, timed_out = 0, callers = 2;
        endpoint = *Endpoint::create();
        const auto call_often = [](std::uint64_t base) {
            unsigned own_answers = 0;
            for (std::uint64_t i = 0; own_answers < 300; ++i) {
                hal::relax();
                hal::IrqGuard masked;
                std::uint64_t(&message)[4] = this_cpu().current->message;
                message[0] = base + i;
                const Result<> result = endpoint->call(i % 2 == 0 ? no_deadline : hal::now_ns() + 20'000);
                if (result.ok()) wrong += message[0] != ~(base + i), ++answered, ++own_answers;
                else ++(result.error() == Error::peer_dead ? died : timed_out);
            }
            --callers;
        };
        const auto serve_often = [](unsigned seed) {
            for (unsigned life = seed; callers != 0; ++life) {
                hal::IrqGuard masked;
                endpoint->handle_added(abi::right_serve);
                Completion gone;
                const auto serve = [](void* calls) {
                    hal::IrqGuard inside;
                    for (auto left = reinterpret_cast<std::uintptr_t>(calls); left != 0; --left) {
                        if (!endpoint->reply_and_wait(hal::now_ns() + 300'000).ok()) break;
                        this_cpu().current->message[0] = ~this_cpu().current->message[0];
                    }
                    endpoint->handle_removed(abi::right_serve);
                };
                EXO_ASSERT(thread_create("server", priority_kernel, serve, reinterpret_cast<void*>(1 + life % 9ul),
                                         {.gone = &gone})
                               .ok());
                gone.wait();
            }
        };
        {
            Remote a(1, [&] { call_often(1'000'000); }), b(2, [&] { call_often(2'000'000); });
            Remote c(3, [&] { serve_often(3); }), d(1, [&] { serve_often(1); });
        }
        EXPECT_EQ(wrong, 0u);
        EXPECT_EQ(answered, 600u);
        EXPECT_GT(died, 0u);
        endpoint.reset();
    });
}

TEST_F(SeveralCpus, ProgramsAreSpreadUnlessPinned) {
    user::register_host_programs();
    on_cpus(4, [] {
        std::array<std::uint64_t, 4> before{};
        for (unsigned i = 0; i < 4; ++i) before[i] = cpu_at(hal::CpuIndex(i)).dispatches;
        for (unsigned i = 0; i < 8; ++i) {
            Ref<Process> process = *Process::spawn("null_caller", {}, 3);
            wait_for_end(*process);
            EXPECT_EQ(process->exit_status(), 0);
        }
        for (unsigned i = 0; i < 4; ++i) EXPECT_GE(cpu_at(hal::CpuIndex(i)).dispatches, before[i] + 2) << i;

        const std::uint64_t elsewhere = cpu_at(hal::CpuIndex(1)).dispatches + cpu_at(hal::CpuIndex(2)).dispatches;
        Ref<Process> family =
            *Process::spawn("init", {}, user::init_argument(user::InitTask::call_and_reply, 20), hal::CpuIndex(3));
        wait_for_end(*family);
        EXPECT_EQ(family->exit_status(), 0);
        EXPECT_EQ(cpu_at(hal::CpuIndex(1)).dispatches + cpu_at(hal::CpuIndex(2)).dispatches, elsewhere)
            << "a pinned program's children are pinned too";
    });
}

TEST_F(SeveralCpus, TheStressPassesForAFewSeeds) {
    user::register_host_programs();
    on_cpus(4, [] {
        EXPECT_TRUE(stress_run("seed=1 rounds=300"));
        EXPECT_TRUE(stress_run("seed=2 rounds=300"));
    });
}

// In a process of its own: the console, and how it ended.
std::string console_of_a_panic(void (*body)()) {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return {};
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        dup2(pipe_ends[1], STDOUT_FILENO);
        hal::HostMachine machine({.cpus = 3, .seed = 1});
        static constinit PerCpu cpu;
        static void (*run)();
        run = body;
        const auto end = machine.run(
            [](void* raw) {
                auto& boot = static_cast<hal::HostMachine*>(raw)->boot_info();
                hal::cpu_init(hal::CpuIndex::boot);
                hal::per_cpu_set(&cpu);
                frames_init(boot.memory);
                EXO_ASSERT(hal::mmu_init(boot, table_frames()) == hal::MmuResult::ok);
                hal::timer_init();
                scheduler_init();
                cpu_join(cpu);
                cpus_start();
                EXO_ASSERT(reaper_init().ok());
                EXO_ASSERT(thread_create(
                               "body", priority_kernel, [](void*) { run(); }, nullptr)
                               .ok());
                idle_loop();
            },
            &machine);
        _exit(end == hal::PowerOff::failure ? 7 : 1);
    }
    close(pipe_ends[1]);
    std::string text;
    char part[512];
    for (ssize_t bytes; (bytes = read(pipe_ends[0], part, sizeof part)) > 0;)
        text.append(part, static_cast<std::size_t>(bytes));
    close(pipe_ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status << "\n" << text;
    return text;
}

unsigned times(const std::string& text, const std::string& word) {
    unsigned count = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
    return count;
}

TEST(SeveralCpusPanic, TheFirstOneStopsTheOthersAndPrintsOnce) {
    const std::string text = console_of_a_panic([] {
        for (unsigned i = 0; i < 3; ++i) {  // all of them, as simultaneously as can be
            static std::atomic<unsigned> ready = 0;
            const auto body = [](void*) {
                ++ready;
                while (ready < 3) hal::relax();
                panic("everybody at once");
            };
            EXO_ASSERT(thread_create("panicker", priority_kernel, body, nullptr, {.home = hal::CpuIndex(i)}).ok());
        }
    });
    EXPECT_EQ(times(text, "PANIC: everybody at once (CPU "), 1u) << text;
    EXPECT_EQ(times(text, "panic in a panic"), 0u) << text;
}

TEST(SeveralCpusPanic, OneCpuAloneTakesTheSleepingAndTheBusyAlong) {
    const std::string text = console_of_a_panic([] {
        const auto spin = [](void*) {
            for (;;) hal::relax();
        };
        EXO_ASSERT(thread_create("busy", priority_kernel, spin, nullptr, {.home = hal::CpuIndex(1)}).ok());
        panic("alone");
    });
    EXPECT_EQ(times(text, "PANIC: alone (CPU 0, thread body)"), 1u) << text;
}

}  // namespace
}  // namespace exo
