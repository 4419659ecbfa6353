// SPDX-License-Identifier: GPL-2.0-or-later
// One function a subcommand: it declares the options and the action.
#pragma once

namespace devenv {

class CommandLine;

void add_sim(CommandLine&);
void add_run(CommandLine&);
void add_trace(CommandLine&);
void add_diff(CommandLine&);
void add_lockstep(CommandLine&);
void add_bench(CommandLine&);
void add_image(CommandLine&);
void add_boot(CommandLine&);
void add_validate(CommandLine&);
void add_cpus(CommandLine&);
void add_calibrate(CommandLine&);

}  // namespace devenv
