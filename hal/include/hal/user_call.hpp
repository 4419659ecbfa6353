// SPDX-License-Identifier: MIT
// The user side of a system call: what ring-3 programs are built on, never the kernel. On bare metal the SYSCALL
// instruction, on the host a call into the kernel's upcall on the same stack.
//
//   int64_t user_call(number, a0..a5)     Result register: >= 0, or a negated error.
//   int64_t user_call_message(number, handle, uint64_t (&message)[4], deadline_ns)
//                                         For calls that carry a message both ways: message in arguments 1..4, which
//                                         come back changed; deadline in argument 5.
//   void user_relax()                     One turn of a spin in a program; on the host the point where it is preempted.
#pragma once
#include <cstdint>

#include <arch/user_call.hpp>
