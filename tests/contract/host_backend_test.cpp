// SPDX-License-Identifier: MIT
// What the host backend promises beyond the contract: machines as objects, power-off that returns, simulated interrupts
// and preemption, linked user programs, signals as traps, and unwind information through the switch.
#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>
#include <unwind.h>

#include <abi/syscall.hpp>
#include <hal/console.hpp>
#include <hal/context.hpp>
#include <hal/irq.hpp>
#include <hal/timer.hpp>
#include <hal/user_call.hpp>
#include <host/machine.hpp>
#include <host/test_upcalls.hpp>
#include <memory>
#include <span>
#include <vector>

namespace {

using hal::HostMachine;
using hal::PowerOff;

class HostBackend : public testing::Test {
  protected:
    void TearDown() override { hal::test::upcalls() = {}; }
};

// Runs a lambda on the machine's boot stack.
template <typename F>
std::optional<PowerOff> run(HostMachine& machine, F body) {
    return machine.run([](void* raw) { (*static_cast<F*>(raw))(); }, &body);
}

TEST_F(HostBackend, RunReturnsWhatEndedIt) {
    HostMachine machine;
    EXPECT_EQ(run(machine, [] {}), std::nullopt);
    EXPECT_EQ(run(machine, [] { hal::power_off(PowerOff::success); }), PowerOff::success);
    EXPECT_EQ(run(machine, [] { hal::power_off(PowerOff::failure); }), PowerOff::failure);
    EXPECT_EQ(run(machine, [] {}), std::nullopt);
}

TEST_F(HostBackend, PowerOffWorksFromAnyContext) {
    HostMachine machine;
    const auto stack = std::make_unique<std::byte[]>(hal::kernel_stack_bytes);
    const auto end = run(machine, [&] {
        hal::Context here;
        hal::Context other = hal::context_make(
            {stack.get(), hal::kernel_stack_bytes}, [](void*) { hal::power_off(PowerOff::success); }, nullptr);
        hal::context_switch(here, other);
    });
    EXPECT_EQ(end, PowerOff::success);
}

TEST_F(HostBackend, OneMachineAtATimeWithZeroedMemory) {
    for (int i = 0; i < 2; ++i) {
        HostMachine machine({.memory_bytes = 5 << 20});
        EXPECT_THROW(HostMachine{}, std::logic_error);
        const hal::MemoryRange memory = machine.boot_info().memory.front();
        EXPECT_EQ(memory.bytes, 5u << 20);
        EXPECT_NE(memory.start.value(), 0u);
        std::byte* last = hal::phys_to_virt(memory.start + memory.bytes - 1);
        EXPECT_EQ(*last, std::byte{0});
        *last = std::byte{1};
    }
}

TEST_F(HostBackend, ConsoleIsCapturedAndEntropySeeded) {
    std::uint64_t first[2];
    for (std::uint64_t& value : first) {
        HostMachine machine({.capture_console = true, .seed = 7});
        hal::console_write("a\n");
        hal::console_write("b");
        EXPECT_EQ(machine.console(), "a\nb");
        value = hal::entropy();
        EXPECT_NE(value, hal::entropy());
    }
    EXPECT_EQ(first[0], first[1]);
}

TEST_F(HostBackend, DeviceInterruptsWaitForTheFlag) {
    HostMachine machine;
    std::vector<unsigned> seen;
    hal::test::upcalls().interrupt = [&](hal::Interrupt kind, unsigned vector) {
        EXPECT_EQ(kind, hal::Interrupt::other);
        EXPECT_FALSE(hal::irq_enabled());
        seen.push_back(vector);
    };
    machine.raise(hal::Interrupt::other, 33);
    hal::relax();
    EXPECT_TRUE(seen.empty());
    hal::irq_restore(hal::IrqState::on);
    EXPECT_EQ(seen, std::vector<unsigned>{33});
    machine.raise(hal::Interrupt::other, 34);
    hal::relax();
    EXPECT_EQ(seen, (std::vector<unsigned>{33, 34}));
    EXPECT_TRUE(hal::irq_enabled());
}

TEST_F(HostBackend, HaltingForEverEndsTheRun) {
    HostMachine machine;
    EXPECT_EQ(run(machine, [] { hal::halt_until_interrupt(); }), PowerOff::failure);
}

// A linked program: what it asks for, what it is told, and its end.
void asks_twice(std::uint64_t argument) {
    std::uint64_t message[4] = {1, 2, 3, 4};
    const std::int64_t first = hal::user_call(1000, argument, 11, 12, 13, 14, 15);
    const std::int64_t second = hal::user_call_message(1001, 5, message, 99);
    hal::user_call(1002, std::uint64_t(first), std::uint64_t(second), message[0], message[3]);
}
constexpr hal::LinkedProgram programs[] = {{"asks_twice", &asks_twice}};

TEST_F(HostBackend, LinkedProgramsCallAndEndByExit) {
    HostMachine machine;
    hal::host_register_programs(programs);
    ASSERT_EQ(hal::linked_program("asks_twice"), &asks_twice);
    EXPECT_EQ(hal::linked_program("asks"), nullptr);
    std::vector<std::vector<std::uint64_t>> calls;
    int returns = 0;
    hal::test::upcalls().return_to_user = [&] { ++returns; };
    hal::test::upcalls().syscall = [&](hal::UserFrame& frame) {
        EXPECT_FALSE(hal::irq_enabled());
        std::vector<std::uint64_t> call{frame.number()};
        for (unsigned i = 0; i < 6; ++i) call.push_back(frame.argument(i));
        calls.push_back(std::move(call));  // nothing of its own is left here when power_off abandons this stack
        if (frame.number() == std::uint64_t(exo::abi::Syscall::exit)) hal::power_off(PowerOff::success);
        if (frame.number() == 1001) frame.set_message(0, 70), frame.set_message(3, 73);
        frame.set_result(-std::int64_t(calls.size()));
    };
    const auto end = run(machine, [] {
        const auto entry = reinterpret_cast<std::uint64_t>(hal::linked_program("asks_twice"));
        hal::enter_user(hal::VirtAddr(entry), hal::VirtAddr(0), 10);
    });
    hal::host_register_programs({});
    EXPECT_EQ(end, PowerOff::success);
    const auto minus = [](std::int64_t n) { return std::uint64_t(-n); };
    ASSERT_EQ(calls.size(), 4u);
    EXPECT_EQ(calls[0], (std::vector<std::uint64_t>{1000, 10, 11, 12, 13, 14, 15}));
    EXPECT_EQ(calls[1], (std::vector<std::uint64_t>{1001, 5, 1, 2, 3, 4, 99}));
    EXPECT_EQ(calls[2], (std::vector<std::uint64_t>{1002, minus(1), minus(2), 70, 73, 0, 0}));
    EXPECT_EQ(calls[3][0], std::uint64_t(exo::abi::Syscall::exit));
    EXPECT_EQ(returns, 3);
}

void spins(std::uint64_t) {
    for (;;) hal::user_relax();
}

TEST_F(HostBackend, TimerPreemptsAProgramOnlyInUserMode) {
    HostMachine machine;
    int interrupts = 0, returns = 0;
    hal::test::upcalls().interrupt = [&](hal::Interrupt, unsigned) {
        ++interrupts;
        if (interrupts == 2) hal::timer_arm(hal::now_ns() + 1000);
    };
    hal::test::upcalls().return_to_user = [&] {
        ++returns;
        if (returns == 2) hal::power_off(PowerOff::success);
    };
    const auto end = run(machine, [&] {
        hal::timer_arm(0);
        hal::irq_enable();
        hal::relax();
        hal::irq_disable();
        EXPECT_EQ(interrupts, 1);
        EXPECT_EQ(returns, 0);
        hal::timer_arm(hal::now_ns() + 1000);
        hal::enter_user(hal::VirtAddr(reinterpret_cast<std::uint64_t>(&spins)), hal::VirtAddr(0), 0);
    });
    EXPECT_EQ(end, PowerOff::success);
    EXPECT_EQ(interrupts, 3);
}

void write_to(std::uintptr_t address) {
    asm volatile("movl $1, (%0)" ::"r"(address) : "memory");  // a compiler or a sanitizer would see through C++
}

void writes_nowhere(std::uint64_t) { write_to(0x18); }

// As the kernel does: the thread ends inside the upcall, which therefore runs on the thread's stack.
TEST_F(HostBackend, UserFaultIsReportedOnTheThreadsStack) {
    HostMachine machine;
    hal::TrapInfo info{};
    std::uintptr_t stack_in_upcall = 0;
    hal::test::upcalls().trap = [&](hal::TrapFrame& frame) {
        info = hal::trap_info(frame);
        stack_in_upcall = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        hal::power_off(PowerOff::success);
    };
    const auto end = run(machine, [] {
        hal::cpu_init(hal::CpuIndex::boot);
        hal::enter_user(hal::VirtAddr(reinterpret_cast<std::uint64_t>(&writes_nowhere)), hal::VirtAddr(0), 0);
    });
    EXPECT_EQ(end, PowerOff::success);
    EXPECT_TRUE(info.from_user);
    EXPECT_EQ(info.kind, hal::TrapKind::page_fault);
    EXPECT_EQ(info.attempted, hal::Access::write);
    EXPECT_EQ(info.fault_address.value(), 0x18u);
    EXPECT_LT(stack_in_upcall, info.stack_pointer);
    EXPECT_LT(info.stack_pointer - stack_in_upcall, hal::kernel_stack_bytes);
}

void fault_in_kernel() {
    HostMachine machine;
    run(machine, [] {
        hal::cpu_init(hal::CpuIndex::boot);
        write_to(0x20);
    });
}

[[gnu::noinline]] std::uint64_t overflow(volatile std::byte* above, std::uint64_t depth) {
    volatile std::byte frame[1024];
    frame[0] = above[0];
    return depth == 0 ? 0 : overflow(frame, depth - 1) + std::uint64_t(frame[0]);
}

void overflow_in_kernel() {
    HostMachine machine;
    run(machine, [] {
        hal::cpu_init(hal::CpuIndex::boot);
        volatile std::byte first[1] = {};
        overflow(first, 2 * hal::kernel_stack_bytes / 1024);
    });
}

TEST(HostBackendDeathTest, KernelFaultsEndWithRegistersAndStatus3) {
    EXPECT_EXIT(fault_in_kernel(), testing::ExitedWithCode(3), "#PF page fault(.|\n)*cr2 0000000000000020");
    EXPECT_EXIT(overflow_in_kernel(), testing::ExitedWithCode(3), "#PF page fault");
}

int host_main_with(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "exo-host");
    arguments.push_back(nullptr);
    return hal::host_main(int(arguments.size()) - 1, const_cast<char**>(arguments.data()));
}

TEST_F(HostBackend, MainReadsItsOptions) {
    std::string command_line;
    std::uint64_t bytes = 0;
    hal::test::upcalls().main = [&](const hal::BootInfo& boot) {
        command_line = boot.command_line;
        bytes = boot.memory.front().bytes;
        EXPECT_EQ(boot.path, hal::BootPath::host);
        if (command_line == "fail") hal::power_off(PowerOff::failure);
    };
    EXPECT_EQ(host_main_with({"--cmdline", "scenario=idle seed=1", "--memory", "8"}), 0);
    EXPECT_EQ(command_line, "scenario=idle seed=1");
    EXPECT_EQ(bytes, 8u << 20);
    EXPECT_EQ(host_main_with({"--cmdline", "fail"}), 3);
    for (const char* bad : {"", "0", "-1", "3", "65537", "12x", "99999999999999999999"})
        EXPECT_EQ(host_main_with({"--memory", bad}), 2) << bad;
    EXPECT_EQ(host_main_with({"--memory"}), 2);
    EXPECT_EQ(host_main_with({"--seed", "x"}), 2);
    EXPECT_EQ(host_main_with({"nonsense"}), 2);
    EXPECT_EQ(host_main_with({"--help"}), 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Every instruction of a switch is single-stepped, and the stack is unwound at each: the caller of one side or of the
// other must be found.
struct Stepping {
    hal::Context main, other;
    void* callers[2] = {};
    unsigned steps = 0, wrong = 0, in_other = 0;
    std::span<const std::byte> other_stack;
};
Stepping* stepping;

struct Found {
    bool main, other;
};

// The side whose stack the processor is on; for the one jump between loading the stack pointer and arriving, the code
// is still the old side's, and so is the answer.
bool expect_other(const ucontext_t& context) {
    const auto bottom = reinterpret_cast<std::uint64_t>(stepping->other_stack.data());
    const bool on_other = std::uint64_t(context.uc_mcontext.gregs[REG_RSP]) - bottom <= stepping->other_stack.size();
    const auto* code = reinterpret_cast<const unsigned char*>(context.uc_mcontext.gregs[REG_RIP]);
    const bool at_jump = code[0] == 0xff && code[1] == 0x66;  // jmpq *8(%rsi)
    return on_other != at_jump;
}

void unwind_here(int, siginfo_t*, void* raw_context) {
    if (stepping->callers[0] == nullptr || stepping->callers[1] == nullptr) return;  // both sides are under way
    Found found{};
    _Unwind_Backtrace(
        [](_Unwind_Context* context, void* raw) {
            const auto address = reinterpret_cast<void*>(_Unwind_GetIP(context));
            if (address == nullptr) return _URC_NO_REASON;  // below the first frame of a context
            static_cast<Found*>(raw)->main |= address == stepping->callers[0];
            static_cast<Found*>(raw)->other |= address == stepping->callers[1];
            return _URC_NO_REASON;
        },
        &found);
    ++stepping->steps;
    const bool expected = expect_other(*static_cast<const ucontext_t*>(raw_context));
    stepping->wrong += found.other != expected || found.main == expected;
    stepping->in_other += found.other;
}

[[gnu::noinline]] void turn(hal::Context& from, hal::Context& to, void*& caller) {
    caller = __builtin_return_address(0);
    asm volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");  // TF
    hal::context_switch(from, to);
    asm volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}

void answer_steps(void*) {
    for (;;) turn(stepping->other, stepping->main, stepping->callers[1]);
}

TEST_F(HostBackend, UnwindInformationIsRightAtEveryInstruction) {
    HostMachine machine;
    Stepping state;
    stepping = &state;
    struct sigaction action {
    }, before;
    action.sa_sigaction = &unwind_here;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, &before);
    const auto stack = std::make_unique<std::byte[]>(hal::kernel_stack_bytes);
    state.other_stack = {stack.get(), hal::kernel_stack_bytes};
    state.other = hal::context_make({stack.get(), hal::kernel_stack_bytes}, &answer_steps, nullptr);
    hal::context_switch(state.main, state.other);  // starts it; from now on both sides are in turn()
    for (int i = 0; i < 4; ++i) turn(state.main, state.other, state.callers[0]);
    asm volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    sigaction(SIGTRAP, &before, nullptr);
    EXPECT_GT(state.steps, 50u);
    EXPECT_GT(state.in_other, 20u);
    EXPECT_EQ(state.wrong, 0u);
}
#endif

}  // namespace
