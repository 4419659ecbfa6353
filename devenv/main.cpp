// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev: the command table.
#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/commands/time.hpp>
#include <devenv/output.hpp>

int main(int argc, char** argv) {
    devenv::occupy_closed_descriptors();  // or files would be opened as standard output
    devenv::CommandLine line;
    devenv::add_sim(line);        // run the image in the simulator, with a cycle for each instruction
    devenv::add_run(line);        // run it fast, without a trace: unicorn or the host backend
    devenv::add_trace(line);      // look into a trace file
    devenv::add_diff(line);       // cycles gained and lost between two commits
    devenv::add_lockstep(line);   // two engines at once, compared at every instruction
    devenv::add_bench(line);      // native figures, and the simulator's own speed
    devenv::add_cpus(line);       // the CPUs of the timing model, and where their numbers come from
    devenv::add_validate(line);   // the timing model's error against hardware
    devenv::add_image(line);      // what a PC boots: exo.iso, exo.img
    devenv::add_boot(line);       // watch a real machine's serial line
    devenv::add_calibrate(line);  // a machine's own figures of its system instructions
    devenv::add_time(line);       // the timing model on a block of code alone
    return line.run(argc, argv);
}
