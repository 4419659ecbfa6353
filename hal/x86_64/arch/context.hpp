// SPDX-License-Identifier: MIT
// x86-64: the windowed switch. What is live lies on the parked stack: rbp, pushed here, and what the compiler spilled
// because every other general register is declared clobbered. The kernel uses no vector registers, so none is listed.
#pragma once
#include <arch/asm.hpp>
#include <cstddef>
#include <hal/mmu.hpp>
#include <span>

namespace hal {

struct Context {
    std::uint64_t stack_pointer = 0;
    std::uint64_t resume_address = 0;
};
static_assert(offsetof(Context, resume_address) == 8);

inline constexpr std::size_t kernel_stack_bytes = 8192;
using ContextEntry = void (*)(void*);

Context context_make(std::span<std::byte> stack, ContextEntry, void* argument);

// Up to the jump, rbp is still the parked thread's and the compiler's rule for the CFA (rbp + 16) names its caller.
// From the label on, the stack is the resumed thread's, its rbp not loaded yet: there the CFA is *rsp + 16
// (DW_CFA_def_cfa_expression: DW_OP_breg7 0, DW_OP_deref, DW_OP_plus_uconst 16) and rbp's own caller is found as ever.
[[gnu::always_inline]] inline void context_switch(Context& from, const Context& to) {
    Context* parked = &from;
    const Context* resumed = &to;
    asm volatile(
        "pushq %%rbp\n\t"            // the one register that cannot be declared clobbered
        "leaq 1f(%%rip), %%rax\n\t"  // where this thread will go on
        "movq %%rsp, (%0)\n\t"
        "movq %%rax, 8(%0)\n\t"
        "movq (%1), %%rsp\n\t"  // the other thread's stack
        "jmpq *8(%1)\n"         // and where it parked
        ".cfi_remember_state\n\t"
        ".cfi_escape 0x0f, 0x05, 0x77, 0x00, 0x06, 0x23, 0x10\n"
        "1:\n\t"
        "popq %%rbp\n\t"
        ".cfi_restore_state"
        : "+D"(parked), "+S"(resumed)
        :
        : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}
inline void context_release(Context&) {}

std::span<std::byte> map_kernel_stack(PhysAddr block, std::size_t pages, TableFrames&);
void unmap_kernel_stack(std::span<std::byte>, PhysAddr block, std::size_t pages);

}  // namespace hal
