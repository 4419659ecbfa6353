// SPDX-License-Identifier: MIT
// scenario=calibrate: what the CPU's system instructions cost, for the timing model (exo-dev calibrate --import).
#pragma once

namespace exo {

// Prints the results (kernel/abi/result.hpp) when everything is measured. In a thread, interrupts on; masks them for
// some hundredths of a second. False: this machine cannot, said on the console.
bool calibrate_run();

}  // namespace exo
