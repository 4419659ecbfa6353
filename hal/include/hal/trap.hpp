// SPDX-License-Identifier: MIT
// What the kernel may know of an exception without knowing the architecture.
//
//   struct TrapFrame                Every register at the exception, as the backend saves it.
//   TrapInfo trap_info(const TrapFrame&)
//   void describe(const TrapFrame&, TextSink&)   All registers, a few lines of text.
//   bool trap_fixup(TrapFrame&)     If the instruction is in the exception table, resumes at its fix-up: true.
//   struct FramePointerWalk         next(uintptr_t& frame_pointer, uintptr_t& return_address): one step up a chain of
//                                   frame pointers, false at its end or when it leaves kernel memory.
#pragma once
#include <hal/text_sink.hpp>
#include <hal/types.hpp>
#include <string_view>

namespace hal {

enum class TrapKind : std::uint8_t { fault, page_fault, breakpoint, double_fault, nmi, machine_check, debug };

struct TrapInfo {
    TrapKind kind;
    std::string_view name;  // "#PF page fault"; lives for ever
    bool from_user;
    std::uint64_t error_code;
    std::uint64_t instruction;  // address of the instruction concerned
    std::uint64_t frame_pointer;
    std::uint64_t stack_pointer;
    VirtAddr fault_address;  // page faults only
    Access attempted;        // page faults only: read, write or execute
};

}  // namespace hal
#include <arch/trap.hpp>
