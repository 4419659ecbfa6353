// SPDX-License-Identifier: GPL-2.0-or-later
// How a command ends. The numbers are part of the command line's contract: scripts and CI test them.
#pragma once
#include <stdexcept>
#include <string>

namespace devenv {

enum class Exit : int {
    done = 0,
    difference = 1,     // a difference or a failed check was found, or a result could not be stored
    usage = 2,          // wrong options, or a file that cannot be used
    guest_failed = 3,   // panic, triple fault, or no way to go on
    missing = 4,        // an engine, a capability or a tool is missing
    limit = 5,          // the instruction or time limit was reached
    interrupted = 130,  // Ctrl-C
};

// Ends the command with one message on stderr: file, cause, next step.
struct Failure : std::runtime_error {
    Failure(Exit how, const std::string& message) : std::runtime_error(message), status(how) {}
    Exit status;
};

}  // namespace devenv
