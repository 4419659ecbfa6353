// SPDX-License-Identifier: MIT
// Computes for `argument` nanoseconds without ever giving the CPU up: only the timer can take it away. Between looks at
// the clock it hashes; the relax now and then is where the host backend takes its interrupts.
#include <user/runtime.hpp>

EXO_PROGRAM(spinner) {
    const std::uint64_t end = static_cast<std::uint64_t>(user::now()) + argument;
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;  // FNV-1a, 64 bits
    std::uint64_t turns = 0;
    do {
        for (int i = 0; i < 2000; ++i) hash = (hash ^ turns++) * 0x100'0000'01b3;
        hal::user_relax();
    } while (static_cast<std::uint64_t>(user::now()) < end);
    return hash == 0;
}
