// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev bench --self: M instructions/s of the simulator, and what each of its layers costs.
#pragma once
#include <devenv/exit_status.hpp>
#include <string>

namespace devenv {

struct SelfBenchOptions {
    std::string kernel;
    bool quick = false, json = false;
};

Exit self_bench(const SelfBenchOptions&);

}  // namespace devenv
