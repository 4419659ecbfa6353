// SPDX-License-Identifier: MIT
// 'Ring 3' is a linked-in function called on the thread's kernel stack; a system call is host_syscall. The same
// upcalls run in the same order as on bare metal; nothing keeps the program away from the kernel's memory.
#pragma once
#include <hal/mmu.hpp>
#include <span>
#include <string_view>

namespace hal {

using LinkedEntry = void (*)(std::uint64_t argument);

// Registers of the system-call convention (kernel/abi/syscall.hpp), in argument order.
struct UserFrame {
    std::uint64_t number_register = 0;  // rax: the number, then the result
    std::uint64_t arguments[6] = {};    // rdi, rsi, rdx, r10, r8, r9

    std::uint64_t number() const { return number_register; }
    std::uint64_t argument(unsigned i) const { return i < 6 ? arguments[i] : 0; }
    std::uint64_t message(unsigned i) const { return i < 4 ? arguments[i + 1] : 0; }
    void set_message(unsigned i, std::uint64_t value) {
        if (i < 4) arguments[i + 1] = value;
    }
    void set_result(std::int64_t value) { number_register = std::uint64_t(value); }
    std::int64_t result() const { return std::int64_t(number_register); }
};

// What a linked program's stub does instead of SYSCALL: number and arguments in, result and message registers out.
// Called in user mode with interrupts on. Does not return if the kernel ends the thread.
void host_syscall(UserFrame&);

// A user program linked into the process. Its entry may return: that is exit(0).
struct LinkedProgram {
    std::string_view name;
    LinkedEntry entry;
};

// Makes the programs known to linked_program; replaces the table before. The array must live for ever.
void host_register_programs(std::span<const LinkedProgram>);
LinkedEntry linked_program(std::string_view name);

[[noreturn]] void enter_user(VirtAddr entry, VirtAddr stack_top, std::uint64_t argument);

inline bool user_range_ok(VirtAddr start, std::size_t bytes) {
    return start <= user_limit && bytes <= user_limit - start;
}
std::size_t user_copy_in(void* to, VirtAddr from, std::size_t bytes);
std::size_t user_copy_out(VirtAddr to, const void* from, std::size_t bytes);

inline void set_user_return_stack(std::byte*) {}  // the program runs on that stack itself

}  // namespace hal
