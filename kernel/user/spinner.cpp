// SPDX-License-Identifier: MIT
// Computes for `argument` nanoseconds without ever giving the CPU up: only the timer can take it away. The time stamp
// is asked for by a system call, every few thousand turns.
#include <user/runtime.hpp>

EXO_PROGRAM(spinner) {
    const std::uint64_t end = static_cast<std::uint64_t>(user::now()) + argument;
    do {
        for (int i = 0; i < 2000; ++i) hal::user_relax();
    } while (static_cast<std::uint64_t>(user::now()) < end);
    return 0;
}
