// SPDX-License-Identifier: MIT
// Figures that the kernel measures itself, by its time stamp, where no simulator counts for it (kernel/abi/result.hpp).
#pragma once
#include <cstdint>
#include <string_view>

namespace exo {

void results_init(std::string_view command_line);  // before it: not wanted
bool results_wanted();

// Prints one, if they are wanted.
void result(std::string_view name, std::uint64_t value, std::string_view unit);
void result(std::string_view group, std::string_view name, std::uint64_t value, std::string_view unit);  // group.name

// Prints it in any case.
void result_line(std::string_view group, std::string_view name, std::uint64_t value, std::string_view unit);

// Figures of single operations, nothing printed in between: the mean of many. In a thread, interrupts on.
void results_of_operations();
// Boot phases, from the image's first instruction.
void results_of_boot();

}  // namespace exo
