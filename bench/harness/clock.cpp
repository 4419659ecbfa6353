// SPDX-License-Identifier: MIT
#include "clock.hpp"

#include <time.h>

namespace bench {

double core_per_tick() {
    constexpr std::uint64_t rounds = 1000, per_round = 20;
    std::uint64_t value = 1, left = rounds;
    const std::uint64_t start = ticks();
    asm volatile(
        "1:\n\t"
        ".rept 20\n\t"
        "addq %0, %0\n\t"
        ".endr\n\t"
        "decq %1\n\t"  // beside the chain, not in it
        "jnz 1b"
        : "+r"(value), "+r"(left)
        :
        : "cc");
    const std::uint64_t passed = ticks() - start;
    return double(rounds * per_round) / double(passed);
}

double ticks_per_second() {
    static const double rate = [] {
        timespec first, last;
        clock_gettime(CLOCK_MONOTONIC, &first);
        const std::uint64_t start = ticks();
        const timespec pause{0, 20'000'000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
        clock_gettime(CLOCK_MONOTONIC, &last);
        const std::uint64_t passed = ticks() - start;
        return double(passed) / (double(last.tv_sec - first.tv_sec) + double(last.tv_nsec - first.tv_nsec) * 1e-9);
    }();
    return rate;
}

}  // namespace bench
