// SPDX-License-Identifier: MIT
#include "harness.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "clock.hpp"

namespace bench {
namespace {

struct Series {
    std::vector<double> cycles;  // an operation, one value a batch
    std::string failure;
};

// One batch between two calibrations.
void run_batch(const Contender& contender, std::uint64_t operations, Series& series) {
    const double before = core_per_tick();
    const std::uint64_t start = ticks();
    const std::uint64_t checksum = contender.body(operations);
    const std::uint64_t passed = ticks() - start;
    const double after = core_per_tick();
    if (checksum != contender.expected(operations)) series.failure = contender.name + ": wrong checksum";
    series.cycles.push_back(double(passed) * (before + after) / 2 / double(operations));
}

Spread spread_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t last = values.size() - 1;
    return {values.front(), values[last / 2], values[last * 99 / 100], unsigned(values.size())};
}

// Whether somebody traces us by ptrace.
bool is_traced() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("TracerPid:")) return line.find_first_of("123456789") != std::string::npos;
    return false;
}

// Says "ready", waits for its tracer, and executes so many operations between breakpoints: some for caches and
// predictors, and two numbers of them for the slope. What breakpoints and calls cost is the same in both.
void run_for_tracer(const Body& body) {
    body(1000);
    printf("ready\n");
    fflush(stdout);
    while (!is_traced()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    asm volatile("int3" ::: "memory");
    for (const std::uint64_t operations : {60, 20, 60}) {
        body(operations);
        asm volatile("int3" ::: "memory");
    }
}

}  // namespace

RowResult measure(RowText text, const std::vector<Contender>& contenders, const Effort& effort) {
    if (effort.traced) {
        run_for_tracer(contenders[0].body);
        return {std::move(text), {}, {}, {}};
    }
    std::vector<Series> series(contenders.size());
    constexpr unsigned warm_up = 2;
    for (unsigned batch = 0; batch < effort.batches + warm_up; ++batch) {
        for (std::size_t i = 0; i < contenders.size(); ++i) {
            const std::uint64_t operations = contenders[i].operations / effort.divide_operations;
            run_batch(contenders[i], std::max<std::uint64_t>(operations, 2), series[i]);
            if (batch < warm_up) series[i].cycles.clear();
        }
    }
    RowResult result{std::move(text), {}, {}, {}};
    for (std::size_t i = 0; i < contenders.size(); ++i) {
        const Spread spread = spread_of(series[i].cycles);
        if (i == 0) result.exo = spread;
        else result.peers.push_back({contenders[i].name, spread});
        if (!series[i].failure.empty()) result.failure = series[i].failure;
    }
    return result;
}

}  // namespace bench
