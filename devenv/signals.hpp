// SPDX-License-Identifier: GPL-2.0-or-later
// Ctrl-C and SIGTERM ask the command to end in order: close its files, stop its children, say what it did. The third
// one in a row ends the process at once.
#pragma once
#include <atomic>

namespace devenv {

void install_signal_handlers();  // also: SIGPIPE and SIGXFSZ become error numbers of write()

// Set by the handler; commands may set it too (a time limit).
std::atomic<bool>& stop_requested();
bool interrupted();  // a signal came

}  // namespace devenv
