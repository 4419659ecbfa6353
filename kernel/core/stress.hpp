// SPDX-License-Identifier: MIT
// scenario=stress: everything that CPUs can do to each other, in an order that a seed chooses, with the invariants
// checked as it goes and the memory counted at the end. Options: seed=N, rounds=N (operations a worker, two workers a
// CPU), patience_ms=N (without any progress so long: a panic that shows every CPU).
#pragma once
#include <string_view>

namespace exo {

// On a kernel thread, interrupts on. True if everything held.
bool stress_run(std::string_view command_line);

}  // namespace exo
