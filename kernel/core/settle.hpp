// SPDX-License-Identifier: MIT
// For whoever looks for leaks: what every CPU has cached goes back before frames are counted.
#pragma once
#include <cstdint>

namespace exo {

// Frames that are free, or hold tables of the kernel's own half, which stay for good, once everybody who died is gone
// and every CPU's magazines are empty. On a kernel thread, interrupts on.
std::uint64_t settled_free_frames();

}  // namespace exo
