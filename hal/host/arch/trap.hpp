// SPDX-License-Identifier: MIT
// SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP stand for exceptions. The handler runs on an alternate stack (a kernel
// stack may be what overflowed), fills a TrapFrame and makes the upcall. A fault of a linked user program that the
// kernel answers goes on in kernel_return_to_user on the thread's own stack, where a killed thread ends.
#pragma once
#include <hal/types.hpp>
#include <string_view>

namespace hal {

struct TrapInfo;
struct TextSink;

struct TrapFrame {
    std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags;
    std::uint64_t vector;      // x86 exception number, as Linux reports it
    std::uint64_t error_code;  // page faults: APM2 8.4.2
    std::uint64_t cr2;         // page faults: the address
    int signal;
    bool from_user;
};

TrapInfo trap_info(const TrapFrame&);
void describe(const TrapFrame&, TextSink&);
bool trap_fixup(TrapFrame&);  // always false: the host's copies have no exception table

struct FramePointerWalk {
    // Stays inside the arena and the calling Linux thread's own stack.
    static bool next(std::uintptr_t& frame_pointer, std::uintptr_t& return_address);
};

}  // namespace hal
