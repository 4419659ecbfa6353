// SPDX-License-Identifier: GPL-2.0-or-later
// A child program in a process group of its own that cannot outlive this one: it is killed if exo-dev dies, gets
// Ctrl-C passed on, and is ended with its group when time is up.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace devenv {

struct Child {
    std::vector<std::string> arguments;                                 // the first is the program, searched in PATH
    std::filesystem::path folder;                                       // empty: this one
    std::vector<std::pair<std::string, std::string>> environment = {};  // added to ours
    std::optional<double> timeout_s = std::nullopt;
    std::function<void(std::string_view)> on_output = {};  // stdout as it comes; empty: kept in ChildResult::output
};

struct ChildResult {
    int status = 0;  // exit status, or 128 + signal
    bool timed_out = false;
    bool interrupted = false;  // by Ctrl-C
    std::string output;        // stdout, unless on_output took it
    std::string errors;        // stderr
};

// Waits for the child. Throws Failure (missing) if the program is not there, std::system_error if none can be started.
ChildResult run_child(const Child&);

std::string last_lines(std::string_view text, std::size_t count);

}  // namespace devenv
