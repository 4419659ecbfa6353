// SPDX-License-Identifier: MIT
// x86-64: ring 3 by IRETQ, SYSCALL and SYSRET.
#pragma once
#include <arch/cpu.hpp>
#include <hal/mmu.hpp>
#include <hal/trap.hpp>
#include <string_view>

namespace hal {

// At the top of the thread's kernel stack. A system call fills rbp up to ss; all of it only if the kernel's table
//     extern "C" const std::uint8_t syscall_full_frame[std::uint64_t(exo::abi::Syscall::count)];
// is non-zero for its number.
struct UserFrame {
    TrapFrame registers;

    std::uint64_t number() const { return registers.rax; }
    std::uint64_t argument(unsigned i) const {
        switch (i) {
            case 0:
                return registers.rdi;
            case 1:
                return registers.rsi;
            case 2:
                return registers.rdx;
            case 3:
                return registers.r10;
            case 4:
                return registers.r8;
            case 5:
                return registers.r9;
        }
        return 0;
    }
    void set_result(std::int64_t value) { registers.rax = std::uint64_t(value); }
    std::uint64_t message(unsigned i) const { return argument(i + 1); }
    void set_message(unsigned i, std::uint64_t value) {
        switch (i) {
            case 0:
                registers.rsi = value;
                break;
            case 1:
                registers.rdx = value;
                break;
            case 2:
                registers.r10 = value;
                break;
            case 3:
                registers.r8 = value;
                break;
        }
    }
};
static_assert(sizeof(UserFrame) == sizeof(TrapFrame));

extern "C" {
[[noreturn]] void hal_enter_user(std::uint64_t entry, std::uint64_t stack_top, std::uint64_t argument);
std::size_t hal_user_copy(void* to, const void* from, std::size_t bytes);
}

[[noreturn]] inline void enter_user(VirtAddr entry, VirtAddr stack_top, std::uint64_t argument) {
    hal_enter_user(entry.value(), stack_top.value(), argument);
}
inline bool user_range_ok(VirtAddr start, std::size_t bytes) {
    return start <= user_limit && bytes <= user_limit - start;
}
inline std::size_t user_copy_in(void* to, VirtAddr from, std::size_t bytes) {
    return hal_user_copy(to, reinterpret_cast<const void*>(from.value()), bytes);
}
inline std::size_t user_copy_out(VirtAddr to, const void* from, std::size_t bytes) {
    return hal_user_copy(reinterpret_cast<void*>(to.value()), from, bytes);
}
using LinkedEntry = void (*)(std::uint64_t argument);
inline LinkedEntry linked_program(std::string_view) { return nullptr; }
inline void set_user_return_stack(std::byte* top) {
    auto* header = static_cast<PerCpuHeader*>(per_cpu());
    header->kernel_stack_top = top;                                     // system calls
    header->task_state->rsp[0] = reinterpret_cast<std::uint64_t>(top);  // everything else
}

}  // namespace hal
