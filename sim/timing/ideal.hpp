// SPDX-License-Identifier: GPL-2.0-or-later
// The model of the CPU `ideal`: each instruction retires a cycle after the one before it. A scale for the others: what
// they take more is what hardware does not give for nothing.
#pragma once
#include <memory>
#include <sim/timing/cpu.hpp>
#include <sim/timing/model.hpp>

namespace sim::timing {

std::unique_ptr<TimingModel> make_ideal_model(const Cpu&);

}  // namespace sim::timing
