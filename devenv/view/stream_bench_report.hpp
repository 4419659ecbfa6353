// SPDX-License-Identifier: GPL-2.0-or-later
// The QEMU stream's speed, as tables and as JSON: two processes work at once, and on two idle cores the slower of them
// decides.
#pragma once
#include <devenv/view/run_report.hpp>
#include <devenv/view/style.hpp>
#include <optional>
#include <string>
#include <vector>

namespace devenv {

// M instructions/s from kernel entry to the end, by the wall clock and by each process's CPU time.
struct StreamSpeed {
    double wall = 0, qemu = 0;
    std::optional<double> exo_dev;  // none: it only waits
    double slower() const { return exo_dev && *exo_dev < qemu ? *exo_dev : qemu; }
};

struct StreamRow {
    std::string layers;
    std::optional<StreamSpeed> loop, whole;  // none: too short to be told from the start-up
    bool timed = false;                      // the bar holds for it
};

struct StreamReport {
    std::vector<StreamRow> rows;  // from the fewest layers to all
    double start_up_s = 0;        // QEMU and its firmware, until the kernel is entered, and the end: taken off
    std::string missing;          // why there are no rows
};

std::string stream_bench_text(const StreamReport&, const Style&);
Json stream_bench_json(const StreamReport&);

}  // namespace devenv
