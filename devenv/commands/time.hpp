// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev time: declares the options and the action, as the functions of commands.hpp do.
#pragma once

namespace devenv {

class CommandLine;

void add_time(CommandLine&);

}  // namespace devenv
