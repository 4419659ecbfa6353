// SPDX-License-Identifier: MIT
// now_ns from the time-stamp counter: ns = ticks * (ns per tick, 32.32 fixed point).
#include <time.h>

#include <hal/cpu.hpp>
#include <hal/timer.hpp>

#include "state.hpp"

namespace hal {
namespace {

struct Sample {
    std::uint64_t ticks, ns;
};

// One reading of both clocks; of several, the one where they lie closest together.
Sample sample() {
    Sample best{};
    std::uint64_t narrowest = ~std::uint64_t{0};
    for (int i = 0; i < 16; ++i) {
        timespec now;
        const std::uint64_t before = cycles();
        clock_gettime(CLOCK_MONOTONIC, &now);
        const std::uint64_t width = cycles() - before;
        if (width >= narrowest) continue;
        narrowest = width;
        best = {before + width / 2, std::uint64_t(now.tv_sec) * 1'000'000'000 + std::uint64_t(now.tv_nsec)};
    }
    return best;
}

struct Rate {
    std::uint64_t ns_per_tick_q32;
    std::uint64_t ticks_per_second;
};

// Once a process: 10 ms apart, an error of some 100 ns is 10 parts in a million.
const Rate& rate() {
    static const Rate measured = [] {
        const Sample first = sample();
        const timespec pause{0, 10'000'000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
        const Sample last = sample();
        const std::uint64_t ticks = last.ticks - first.ticks, ns = last.ns - first.ns;
        return Rate{std::uint64_t((static_cast<unsigned __int128>(ns) << 32) / ticks),
                    std::uint64_t(static_cast<unsigned __int128>(ticks) * 1'000'000'000 / ns)};
    }();
    return measured;
}

constinit std::uint64_t start_ticks = 0;
constinit std::uint64_t ns_per_tick_q32 = 0;

}  // namespace

namespace host {
void reset_clock() {
    ns_per_tick_q32 = rate().ns_per_tick_q32;
    start_ticks = cycles();
}
}  // namespace host

void timer_init() {
    if (ns_per_tick_q32 == 0) host::reset_clock();
}

std::uint64_t cycles_per_second() { return rate().ticks_per_second; }

std::uint64_t now_ns() {
    return std::uint64_t((static_cast<unsigned __int128>(cycles() - start_ticks) * ns_per_tick_q32) >> 32);
}

void timer_arm(std::uint64_t deadline_ns) {
    host::this_cpu().timer_deadline_ns = deadline_ns;
    host::poll_timer();
}

void timer_disarm() { host::this_cpu().timer_deadline_ns = host::timer_off; }

}  // namespace hal
