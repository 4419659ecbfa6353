// SPDX-License-Identifier: MIT
// x86-64: the SYSCALL instruction with the register convention of abi/syscall.hpp.
#pragma once
#include <cstdint>

namespace hal {

inline std::int64_t user_call(std::uint64_t number, std::uint64_t a0 = 0, std::uint64_t a1 = 0, std::uint64_t a2 = 0,
                              std::uint64_t a3 = 0, std::uint64_t a4 = 0, std::uint64_t a5 = 0) {
    register std::uint64_t r10 asm("r10") = a3;
    register std::uint64_t r8 asm("r8") = a4;
    register std::uint64_t r9 asm("r9") = a5;
    std::int64_t result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

inline std::int64_t user_call_message(std::uint64_t number, std::uint64_t handle, std::uint64_t (&message)[4],
                                      std::uint64_t deadline_ns) {
    register std::uint64_t r10 asm("r10") = message[2];
    register std::uint64_t r8 asm("r8") = message[3];
    register std::uint64_t r9 asm("r9") = deadline_ns;
    std::int64_t result;
    asm volatile("syscall"
                 : "=a"(result), "+S"(message[0]), "+d"(message[1]), "+r"(r10), "+r"(r8)
                 : "a"(number), "D"(handle), "r"(r9)
                 : "rcx", "r11", "memory");
    message[2] = r10;
    message[3] = r8;
    return result;
}

inline void user_relax() { asm volatile("pause" ::: "memory"); }

}  // namespace hal
