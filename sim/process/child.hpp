// SPDX-License-Identifier: GPL-2.0-or-later
// Programs that exo-dev runs: engines, compilers, tools. None outlives exo-dev, however that dies
// (sim/process/guard.hpp): neither the program nor anything it has started. No shell, no inherited descriptors,
// standard input from /dev/null.
#pragma once
#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <sim/process/descriptor.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim {

// The program is not there or cannot be started; what() names it and the cause (exit status 4).
struct ProcessError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Child {
    std::vector<std::string> arguments;                                 // the first is the program, searched in PATH
    std::filesystem::path folder;                                       // to run in; empty: this one
    std::vector<std::pair<std::string, std::string>> environment = {};  // added to ours
    std::optional<double> timeout_s = std::nullopt;
    const std::atomic<bool>* stop = nullptr;               // set (by Ctrl-C): the program gets SIGINT, then SIGKILL
    std::function<void(std::string_view)> on_output = {};  // stdout as it comes; empty: kept in ChildResult::output
    std::uint64_t output_limit = UINT64_MAX;               // bytes of stdout after which the program is ended
    bool terminal = false;          // stdin, stdout and stderr are a terminal (80 x 24), read as stdout
    std::vector<int> inherit = {};  // descriptors that stay open in it, by the same number
    // More descriptors of ours to read while it runs (a FIFO, a socket to it), each with who takes what comes. They
    // stay open, and what is in them at its end is still handed over.
    std::vector<std::pair<int, std::function<void(std::string_view)>>> also_read = {};
    std::filesystem::path private_folder = {};  // removed if exo-dev dies; otherwise its owner removes it
};

struct ChildResult {
    int status = 0;  // exit status, or 128 + signal
    int signal = 0;  // that killed it, or 0
    bool timed_out = false;
    bool interrupted = false;  // by Child::stop
    bool flooded = false;      // output_limit was reached; no more than that was handed over
    std::string output;        // stdout, unless on_output took it
    std::string errors;        // stderr, its last MiB
};

// A running program. One thread uses it; the destructor kills it with all that came from it. For limits, pump() must be
// called now and then.
class ChildProcess {
  public:
    explicit ChildProcess(Child);  // throws ProcessError
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    int pid() const { return pid_; }
    // Waits up to so long for output or the end, and hands over what there is. False: ended, and all output is out.
    bool pump(std::chrono::milliseconds wait);
    void signal(int number);  // to its process group; nothing once it has ended
    void ask_to_end();        // SIGINT now, SIGKILL a little later, while somebody pumps
    const ChildResult& result() const { return result_; }
    ChildResult wait();  // pumps to the end

  private:
    void start();
    void take_output(std::string_view);
    bool take_all(const std::vector<pollfd>&);
    void take_report();
    void enforce_limits();

    using Clock = std::chrono::steady_clock;
    Child child_;
    int pid_ = 0, guard_ = 0;
    Descriptor control_, out_, err_;
    const Clock::time_point start_ = Clock::now();
    std::optional<Clock::time_point> asked_;
    std::uint64_t output_bytes_ = 0;
    bool ended_ = false;
    ChildResult result_;
};

// Starts it and waits for its end. Throws ProcessError.
ChildResult run_child(Child);

std::string last_lines(std::string_view text, std::size_t count);

}  // namespace sim
