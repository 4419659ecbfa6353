// SPDX-License-Identifier: GPL-2.0-or-later
// The state in which a CPU begins: 64-bit, as our own entry wants it, or 32-bit protected mode with flat segments, as
// PVH and Multiboot2 (3.3) say.
#pragma once
#include <sim/board/loader.hpp>
#include <sim/unicorn/cpu_state.hpp>

namespace sim::unicorn {

// Before the first instruction. Registers that the protocol leaves open are 0.
void enter_kernel(uc_engine*, const CpuView&, const KernelEntry&);

}  // namespace sim::unicorn
