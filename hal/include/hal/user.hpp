// SPDX-License-Identifier: MIT
// Crossing to ring 3 and touching its memory.
//
//   struct UserFrame                What a thread's user side looks like at the top of its kernel stack. Accessors:
//       uint64_t number() const         system-call number
//       uint64_t argument(i) const      i = 0..5
//       void set_result(int64_t)        what the caller sees in its result register
//       void set_message(i, uint64_t)   i = 0..3: message registers returned by call and reply_and_wait
//       uint64_t message(i) const       the same registers as arguments of those calls (arguments 1..4)
//   [[noreturn]] void enter_user(VirtAddr entry, VirtAddr stack_top, uint64_t argument)
//                                   Leaves the calling kernel thread for ring 3, with zeroed registers except the
//                                   argument (in rdi). Interrupts off. On the host it calls the program.
//   bool user_range_ok(VirtAddr, bytes)   The whole range lies below user_limit and does not wrap. Says nothing about
//                                   what is mapped.
//   std::size_t user_copy_in(void* to, VirtAddr from, bytes)    Bytes NOT copied: 0 is success. Faults end the copy
//   std::size_t user_copy_out(VirtAddr to, const void* from, bytes)   through the exception table. The range must be
//                                   ok; no spinlock held; interrupts on or off.
//   using LinkedEntry = void (*)(uint64_t argument);
//   LinkedEntry linked_program(std::string_view name)   The host's linked-in user programs; bare metal: nullptr.
//   void set_user_return_stack(std::byte* top)   Where this CPU enters the kernel from ring 3 (TSS.RSP0 and the
//                                   system-call stack): the running thread's kernel stack. Interrupts off.
#pragma once
#include <hal/mmu.hpp>
#include <string_view>

#include <arch/user.hpp>
