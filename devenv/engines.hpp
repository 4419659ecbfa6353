// SPDX-License-Identifier: GPL-2.0-or-later
// Engines by name, and whether one can do what is asked of it.
#pragma once
#include <memory>
#include <sim/engine.hpp>
#include <string>

namespace devenv {

struct Scenario;

// "unicorn", "qemu" or "bochs". Throws sim::EngineError, Failure (missing) if the scenario needs what this engine
// cannot do: the message names both; Failure (usage) for a window that the image or the engine does not have.
std::unique_ptr<sim::Engine> make_engine(const std::string& name, const Scenario&, const sim::Image&);

}  // namespace devenv
