// SPDX-License-Identifier: MIT
// What the kernel does once it is up: "scenario=NAME" on the command line.
//   tour      (default) a walk through everything the kernel can do, then power-off
//   stress    what CPUs can do to each other, chosen by a seed (core/stress.hpp), then power-off
//   contract  the HAL's contract suite, in images that carry it, then power-off
//   calibrate the CPU's system instructions timed in ring 0 (core/calibrate.hpp), then power-off
//   idle      nothing; halts for ever
//   panic     an assertion fails on purpose: shows what a panic looks like
#pragma once
#include <lib/result.hpp>
#include <string_view>

namespace exo {

// The value of "key=value" among the blank-separated words, or `otherwise`.
std::string_view option(std::string_view command_line, std::string_view key, std::string_view otherwise);

// Creates the scenario's thread. The command line lives for ever.
Result<> scenario_start(std::string_view command_line);

}  // namespace exo
