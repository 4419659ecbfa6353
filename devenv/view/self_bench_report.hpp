// SPDX-License-Identifier: GPL-2.0-or-later
// The simulator's own speed, as a table a workload and as JSON, with the bars the project has set itself.
#pragma once
#include <devenv/view/run_report.hpp>
#include <devenv/view/stream_bench_report.hpp>
#include <devenv/view/style.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace devenv {

struct Speed {
    double wall = 0, cpu = 0;  // M instructions/s, by either clock
};

struct SelfBenchRow {
    std::string layers;
    std::optional<Speed> loop, windows, whole;  // none: these layers cannot run that
};

struct SelfBenchReport {
    std::vector<SelfBenchRow> rows;  // from the fewest layers to all
    std::set<std::string> hot_marks;
    unsigned batches = 0;
    StreamReport qemu;  // rows of its own: two processes, another bar
};

std::string self_bench_text(const SelfBenchReport&, const Style&);
Json self_bench_json(const SelfBenchReport&);

}  // namespace devenv
