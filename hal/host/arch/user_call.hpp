// SPDX-License-Identifier: MIT
// Linked programs call the kernel on the stack they run on.
#pragma once
#include <arch/cpu.hpp>
#include <hal/user.hpp>

namespace hal {

inline std::int64_t user_call(std::uint64_t number, std::uint64_t a0 = 0, std::uint64_t a1 = 0, std::uint64_t a2 = 0,
                              std::uint64_t a3 = 0, std::uint64_t a4 = 0, std::uint64_t a5 = 0) {
    UserFrame frame{number, {a0, a1, a2, a3, a4, a5}};
    host_syscall(frame);
    return frame.result();
}

inline std::int64_t user_call_message(std::uint64_t number, std::uint64_t handle, std::uint64_t (&message)[4],
                                      std::uint64_t deadline_ns) {
    UserFrame frame{number, {handle, message[0], message[1], message[2], message[3], deadline_ns}};
    host_syscall(frame);
    for (unsigned i = 0; i < 4; ++i) message[i] = frame.message(i);
    return frame.result();
}

inline void user_relax() { relax(); }

}  // namespace hal
