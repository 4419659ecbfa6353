// SPDX-License-Identifier: GPL-2.0-or-later
// The guard: a process between exo-dev and the program it runs. It is the program's parent, hears of exo-dev's death by
// the end of their socket, and then kills the program and everything that came from it, and removes its folder. So
// nothing outlives exo-dev, however that dies, and nothing depends on which of exo-dev's threads is still alive. The
// guard is a fork of a process with threads: it makes system calls only, and everything it needs is ready before.
#pragma once
#include <cstdint>
#include <span>

namespace sim {

struct GuardOrders {
    char* const* arguments;      // the first is the program, searched in PATH; null-terminated
    char* const* environment;    // null-terminated
    const char* folder;          // to run in; null: the same
    const char* private_folder;  // removed if exo-dev dies; null: none
    int input, output, errors;   // what becomes 0, 1, 2
    bool terminal;               // `input` is a terminal: it becomes the controlling one
    std::span<const int> inherit;
    int control;  // the guard's end of the socket
};

// Guard to exo-dev: first started or failed, then ended. Exo-dev to guard: a byte each, the signal for the program's
// group.
struct GuardReport {
    enum class Kind : std::int32_t { started, failed, ended } kind;
    std::int32_t value;  // pid, errno, or wait status
};

[[noreturn]] void become_guard(const GuardOrders&);

// The same for a folder alone: waits for a byte on `control` (the folder's owner has removed it) or its end (then it
// removes the folder).
[[noreturn]] void become_folder_guard(const char* folder, int control);

}  // namespace sim
