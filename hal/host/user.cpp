// SPDX-License-Identifier: MIT
// Linked user programs: entry, system calls, copies.
#include <abi/syscall.hpp>
#include <hal/irq.hpp>
#include <hal/upcalls.hpp>

#include "state.hpp"

// exo_host_copy(to, from, bytes) -> bytes not copied. A fault in `rep movsb` leaves the rest in rcx; trap_fixup resumes
// at the fix-up.
extern "C" std::size_t exo_host_copy(void* to, const void* from, std::size_t bytes);
asm(R"(
    .text
    .globl exo_host_copy, exo_host_copy_fault, exo_host_copy_fixup
    .type exo_host_copy, @function
exo_host_copy:
    .cfi_startproc
    movq %rdx, %rcx
exo_host_copy_fault:
    rep movsb
exo_host_copy_fixup:
    movq %rcx, %rax
    ret
    .cfi_endproc
    .size exo_host_copy, . - exo_host_copy
)");

namespace hal {
namespace {
constinit std::span<const LinkedProgram> programs;

void go_to_user() {
    host::this_cpu().in_user = 1;
    irq_enable();
}
}  // namespace

void host_register_programs(std::span<const LinkedProgram> table) { programs = table; }

LinkedEntry linked_program(std::string_view name) {
    for (const LinkedProgram& program : programs)
        if (program.name == name) return program.entry;
    return nullptr;
}

void enter_user(VirtAddr entry, VirtAddr, std::uint64_t argument) {
    go_to_user();
    reinterpret_cast<LinkedEntry>(entry.value())(argument);
    UserFrame exit{std::uint64_t(exo::abi::Syscall::exit), {}};
    host_syscall(exit);
    host::fatal("the kernel returned from an exit");
}

void host_syscall(UserFrame& frame) {
    host::poll_interrupts();
    irq_disable();
    host::this_cpu().in_user = 0;
    kernel_syscall(frame);
    kernel_return_to_user();
    go_to_user();
}

std::size_t user_copy_in(void* to, VirtAddr from, std::size_t bytes) {
    return exo_host_copy(to, reinterpret_cast<const void*>(from.value()), bytes);
}

std::size_t user_copy_out(VirtAddr to, const void* from, std::size_t bytes) {
    return exo_host_copy(reinterpret_cast<void*>(to.value()), from, bytes);
}

}  // namespace hal
