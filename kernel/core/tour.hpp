// SPDX-License-Identifier: MIT
// The tour: one step for each thing the kernel can do, each checked and enclosed by trace marks.
#pragma once

namespace exo {

// On a kernel thread, interrupts on. True if every step passed.
bool tour_run();

}  // namespace exo
