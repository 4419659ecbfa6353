// SPDX-License-Identifier: MIT
// System calls as a program makes them: random numbers and arguments, failures in the middle of spawn, and what the
// command line asks for.
#include <core/scenario.hpp>
#include <cstring>
#include <hal/timer.hpp>
#include <ipc/endpoint.hpp>
#include <random>
#include <syscall/table.hpp>
#include <user/runtime.hpp>

#include "booted_kernel.hpp"

namespace exo {
namespace {

class SyscallTest : public test::KernelTest {};

unsigned children_run = 0;
void child(std::uint64_t) { ++children_run; }

constexpr std::int64_t last_error = static_cast<std::int64_t>(abi::Error::busy);

// Every answer is a result or a known error. Pointers lead to this memory or above all user memory; deadlines have
// passed, so that nothing waits for ever.
struct Fuzzer {
    std::mt19937_64 random{16};
    std::vector<std::uint64_t> handles{0};
    alignas(64) char memory[8192] = {};
    std::uint64_t answers = 0, errors = 0;

    std::uint64_t handle() {
        if (random() % 8 == 0) return random();
        return handles[random() % handles.size()];
    }
    std::uint64_t pointer() {
        constexpr std::uint64_t kernel_half = 0xffff'8000'0000'0000;
        if (random() % 8 == 0) return kernel_half | random();
        return reinterpret_cast<std::uint64_t>(memory) + random() % 128 * 8;
    }
    std::uint64_t number() { return random() % 3 == 0 ? random() : random() % 40; }

    void one() {
        using abi::Syscall;
        const std::uint64_t call =
            random() % 20 == 0 ? random() : random() % static_cast<std::uint64_t>(Syscall::count);
        std::uint64_t a[6] = {number(), number(), number(), number(), number(), number()};
        const char* names[] = {"child", "chil", "", "child\0x", "a name that is as long as names may be, and longer"};
        switch (static_cast<Syscall>(call)) {
            case Syscall::exit:
                return;
            case Syscall::console_write:
                a[0] = pointer();
                a[1] = random() % 5000;
                break;
            case Syscall::spawn:
                std::strcpy(memory, names[random() % 5]);
                a[0] = random() % 4 != 0 ? reinterpret_cast<std::uint64_t>(memory) : pointer();
                a[1] = random() % 3 != 0 ? 5 : random() % 40;
                for (int i = 0; i < 16; ++i) {
                    const auto grant = static_cast<abi::Handle>(handle());
                    std::memcpy(memory + 1024 + 4 * i, &grant, sizeof grant);
                }
                a[2] = random() % 4 != 0 ? reinterpret_cast<std::uint64_t>(memory + 1024) : pointer();
                a[3] = random() % 10;
                break;
            case Syscall::ring_map:
                a[0] = handle();
                a[1] = random() % 3;
                a[2] = pointer();
                break;
            case Syscall::ring_create:
                a[0] = random() % 3 == 0 ? number() : 1u << random() % 12;
                break;
            case Syscall::call:
            case Syscall::reply_and_wait:
                a[0] = handle();
                a[5] = random() % 2;
                break;
            case Syscall::wait:
                a[0] = random() % 4 == 0 ? abi::no_handle : handle();
                a[1] = random() % 2;
                break;
            case Syscall::close:
            case Syscall::duplicate:
            case Syscall::wake:
            case Syscall::process_status:
                a[0] = handle();
                if (random() % 2 == 0) a[1] = random() % (abi::right_all + 1);
                break;
            default:
                break;
        }
        const std::int64_t answer = hal::user_call(call, a[0], a[1], a[2], a[3], a[4], a[5]);
        ++answers;
        if (answer < 0) {
            ++errors;
            EXPECT_GE(answer, -last_error) << "call " << call;
            if (call >= static_cast<std::uint64_t>(Syscall::count)) {
                EXPECT_EQ(answer, user::failure(abi::Error::not_implemented));
            }
            return;
        }
        const auto which = static_cast<Syscall>(call);
        if (which == Syscall::spawn || which == Syscall::ring_create || which == Syscall::endpoint_create ||
            which == Syscall::duplicate)
            handles.push_back(static_cast<std::uint64_t>(answer));
    }
};

constinit Fuzzer* fuzzer = nullptr;

void fuzz(std::uint64_t calls) {
    for (std::uint64_t i = 0; i < calls; ++i) {
        fuzzer->one();
        if (fuzzer->handles.size() < 300) continue;
        for (const std::uint64_t handle : fuzzer->handles) user::close(static_cast<abi::Handle>(handle));
        fuzzer->handles.assign(1, 0);
    }
}

TEST_F(SyscallTest, TwentyThousandRandomCallsAreAnsweredAndLeaveNothing) {
    in_kernel(
        [] {
            static constexpr hal::LinkedProgram programs[] = {{"fuzz", fuzz}, {"child", child}};
            test::use_programs(programs);
            const FrameStats before = test::settled_frames();
            {
                Fuzzer state;
                fuzzer = &state;
                Ref<Process> process = *Process::spawn("fuzz", {}, 20'000);
                wait_for_end(*process);
                EXPECT_FALSE(process->killed());
                EXPECT_GT(state.answers - state.errors, 2000u) << "the calls must be good enough to get somewhere";
                EXPECT_GT(state.errors, 2000u);
                EXPECT_GT(children_run, 50u);
                EXPECT_GT(process->unknown_calls, 100u);
            }
            let_everyone_run();
            EXPECT_EQ(test::settled_frames(), before);
        },
        128 * MiB);
}

TEST_F(SyscallTest, SpawnSurvivesEveryFailure) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"child", child}};
        test::use_programs(programs);
        Ref<Endpoint> endpoint = *Endpoint::create();
        const Grant grant{endpoint.get(), abi::right_call | abi::right_serve};
        const int failures = fail_at_each_step([&] {
            const unsigned before = children_run;
            const Result<Ref<Process>> process = Process::spawn("child", std::span(&grant, 1), 0);
            if (process.ok()) wait_for_end(**process);
            EXPECT_TRUE(process.ok() || process.error() == Error::no_memory);
            EXPECT_EQ(children_run, before + process.ok());
            hal::IrqGuard masked;
            EXPECT_EQ(endpoint->call(0).error(), Error::peer_dead) << "the child's right to serve went with it";
            return process.ok();
        });
        EXPECT_GE(failures, 8);
    });
}

void fill_table_then_spawn(std::uint64_t) {
    std::int64_t last = 0;
    while (user::endpoint_create() >= 0) ++last;
    if (last != HandleTable::capacity) user::exit(1);
    if (user::spawn("child", nullptr, 0, 0) != user::failure(abi::Error::no_memory)) user::exit(2);
    user::close(5);
    const std::int64_t handle = user::spawn("child", nullptr, 0, 0);
    if (handle < 0) user::exit(3);
    user::exit(user::wait(static_cast<abi::Handle>(handle)) == static_cast<std::int64_t>(abi::WaitReason::dead) ? 0
                                                                                                                : 4);
}

TEST_F(SyscallTest, AChildWithoutAHandleDoesNotRun) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"fill", fill_table_then_spawn}, {"child", child}};
        test::use_programs(programs);
        Ref<Process> process = *Process::spawn("fill", {}, 0);
        wait_for_end(*process);
        EXPECT_EQ(process->exit_status(), 0);
        let_everyone_run();
        EXPECT_EQ(children_run, 1u) << "the spawn that was answered 'no memory' ran";
    });
}

void spawn_under_failure(std::uint64_t nth) {
    frames_fail_nth(nth);
    const std::int64_t handle = user::spawn("child", nullptr, 0, 0);
    frames_fail_nth(0);
    user::exit(handle);
}

TEST_F(SyscallTest, ASpawnCallThatFailsLeavesNoHandle) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"spawner", spawn_under_failure}, {"child", child}};
        test::use_programs(programs);
        const FrameStats before = test::settled_frames();
        std::int64_t status = -1;
        unsigned children = 0;
        for (std::uint64_t nth = 1; nth < 50; ++nth) {
            {
                Ref<Process> process = *Process::spawn("spawner", {}, nth);
                wait_for_end(*process);
                status = process->exit_status();
                let_everyone_run();
                EXPECT_TRUE(status == 0 || status == user::failure(abi::Error::no_memory)) << status;
            }
            children += status == 0;
            EXPECT_EQ(children_run, children);
            EXPECT_EQ(test::settled_frames(), before) << nth;
        }
        EXPECT_EQ(status, 0);
    });
}

// Starts children that sleep until they are told, until it is refused; the exit status says how many there were.
std::atomic<bool> sleepers_may_end = false;
void sleeper(std::uint64_t) {
    while (!sleepers_may_end) user::wait(abi::no_handle, static_cast<std::uint64_t>(user::now()) + 5'000'000);
}
void bomb(std::uint64_t) {
    std::int64_t started = 0;
    while (user::spawn("sleeper", nullptr, 0, 0) >= 0) ++started;
    user::exit(started);
}

TEST_F(SyscallTest, AFamilyOfProcessesSharesOneQuota) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"bomb", bomb}, {"sleeper", sleeper}, {"child", child}};
        test::use_programs(programs);
        const FrameStats before = test::settled_frames();
        {
            Ref<Process> family = *Process::spawn("bomb", {}, 0);
            wait_for_end(*family);
            EXPECT_GE(family->exit_status(), 50);
            constexpr std::int64_t pages_each = Process::kernel_pages + 4;  // and its stack
            EXPECT_LE(family->exit_status() * pages_each, static_cast<std::int64_t>(Process::quota_pages));
            // While the children hold all that the family may have, another can still be started.
            children_run = 0;
            Ref<Process> other = *Process::spawn("child", {}, 0);
            wait_for_end(*other);
            EXPECT_EQ(children_run, 1u);
        }
        sleepers_may_end = true;
        const std::uint64_t patience_ns = hal::now_ns() + 20'000'000'000;
        while (test::settled_frames() != before && hal::now_ns() < patience_ns) {
            hal::IrqGuard masked;
            WaitQueue nobody;
            wait_on(nobody, hal::now_ns() + 5'000'000);
        }
        EXPECT_EQ(test::settled_frames(), before);
    });
}

TEST(CommandLine, OptionsAreWholeWordsAndTheFirstOneCounts) {
    EXPECT_EQ(option("", "seed", "d"), "d");
    EXPECT_EQ(option("seed=7", "seed", "d"), "7");
    EXPECT_EQ(option("/boot/exo.elf  scenario=idle   seed=7 ", "seed", "d"), "7");
    EXPECT_EQ(option("/boot/exo.elf  scenario=idle   seed=7 ", "scenario", "d"), "idle");
    EXPECT_EQ(option("seed=1 seed=2", "seed", "d"), "1");
    EXPECT_EQ(option("seed= other=2", "seed", "d"), "") << "empty is a value";
    EXPECT_EQ(option("seed", "seed", "d"), "d");
    EXPECT_EQ(option("seeds=4", "seed", "d"), "d");
    EXPECT_EQ(option("xseed=4", "seed", "d"), "d");
    EXPECT_EQ(option("a=seed=4", "seed", "d"), "d");
    EXPECT_EQ(option("seed=a=b", "seed", "d"), "a=b");
    EXPECT_EQ(option("   ", "seed", "d"), "d");
    EXPECT_EQ(option("Seed=4", "seed", "d"), "d");
    EXPECT_EQ(option("=4", "seed", "d"), "d");
    EXPECT_EQ(option("features=a,b,c seed=1", "features", ""), "a,b,c");
}

TEST(CommandLine, RandomTextIsParsedWithoutHarm) {
    std::mt19937 random(17);
    for (int i = 0; i < 50'000; ++i) {
        std::string text(random() % 40, ' ');
        for (char& c : text) c = "se=d \t\0x"[random() % 8];
        const std::string copy(text);
        const std::string_view value = option(copy, "se", "none");
        EXPECT_EQ(value.find(' '), std::string_view::npos);
        const std::size_t at = (" " + text).find(" se=");
        ASSERT_EQ(value == "none", at == std::string::npos) << text;
    }
}

}  // namespace
}  // namespace exo
