// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev trace retime: the cycles of a stored run, computed again.
#pragma once
#include <devenv/command_line.hpp>

namespace devenv {

void add_retime(CommandLine&, CLI::App* parent);

}  // namespace devenv
