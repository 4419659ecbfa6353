// SPDX-License-Identifier: MIT
// x86-64: the frame that every entry from a trap, an interrupt or a system call leaves, and back-traces.
#pragma once
#include <arch/layout.h>
#include <cstddef>

namespace hal {

// Lowest address first. The last five words are the CPU's own (APM2 8.9.3).
struct TrapFrame {
    std::uint64_t unused;
    std::uint64_t cr2;  // exceptions only
    std::uint64_t r15, r14, r13, r12, rbx, r11, rcx;
    std::uint64_t rbp, r9, r8, r10, rdx, rsi, rdi, rax;  // what a system call fills starts at rbp
    std::uint64_t vector;                                // or HAL_VECTOR_SYSCALL
    std::uint64_t error_code;
    std::uint64_t rip, cs, rflags, rsp, ss;
};
static_assert(offsetof(TrapFrame, cr2) == HAL_FRAME_CR2 && offsetof(TrapFrame, r15) == HAL_FRAME_R15);
static_assert(offsetof(TrapFrame, r14) == HAL_FRAME_R14 && offsetof(TrapFrame, r13) == HAL_FRAME_R13);
static_assert(offsetof(TrapFrame, r12) == HAL_FRAME_R12 && offsetof(TrapFrame, rbx) == HAL_FRAME_RBX);
static_assert(offsetof(TrapFrame, r11) == HAL_FRAME_R11 && offsetof(TrapFrame, rcx) == HAL_FRAME_RCX);
static_assert(offsetof(TrapFrame, rbp) == HAL_FRAME_RBP && offsetof(TrapFrame, r9) == HAL_FRAME_R9);
static_assert(offsetof(TrapFrame, r8) == HAL_FRAME_R8 && offsetof(TrapFrame, r10) == HAL_FRAME_R10);
static_assert(offsetof(TrapFrame, rdx) == HAL_FRAME_RDX && offsetof(TrapFrame, rsi) == HAL_FRAME_RSI);
static_assert(offsetof(TrapFrame, rdi) == HAL_FRAME_RDI && offsetof(TrapFrame, rax) == HAL_FRAME_RAX);
static_assert(offsetof(TrapFrame, vector) == HAL_FRAME_VECTOR && offsetof(TrapFrame, error_code) == HAL_FRAME_ERROR);
static_assert(offsetof(TrapFrame, rip) == HAL_FRAME_RIP && offsetof(TrapFrame, cs) == HAL_FRAME_CS);
static_assert(offsetof(TrapFrame, rflags) == HAL_FRAME_RFLAGS && offsetof(TrapFrame, rsp) == HAL_FRAME_RSP);
static_assert(offsetof(TrapFrame, ss) == HAL_FRAME_SS && sizeof(TrapFrame) == HAL_FRAME_BYTES);

TrapInfo trap_info(const TrapFrame&);
void describe(const TrapFrame&, TextSink&);
bool trap_fixup(TrapFrame&);

// Follows frame records (saved rbp, return address). Reads only mapped kernel stacks; ends at a zero frame pointer, at
// one that does not ascend within its stack, and at anything that is no kernel stack.
struct FramePointerWalk {
    static bool next(std::uintptr_t& frame_pointer, std::uintptr_t& return_address);
};

}  // namespace hal
