// SPDX-License-Identifier: MIT
// The tour's step for more than one CPU: what threads of different CPUs do to each other.
#pragma once

namespace exo {

// On a kernel thread of the boot CPU, interrupts on. True if everything held on every other CPU.
bool tour_several_cpus();

}  // namespace exo
