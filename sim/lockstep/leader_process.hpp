// SPDX-License-Identifier: GPL-2.0-or-later
// What every leader that is QEMU has: the process, its RAM as a file in memory that both see, and a pipe by which it
// tells its states.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <sim/lockstep/leader.hpp>
#include <sim/process/child.hpp>
#include <sim/qemu/command_line.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sim::lockstep {

[[noreturn]] void leader_fails(const std::string& what);  // throws EngineError

// RAM that both processes see, without a file's name.
class SharedRam {
  public:
    explicit SharedRam(std::uint64_t bytes);  // throws EngineError
    ~SharedRam();
    SharedRam(const SharedRam&) = delete;
    SharedRam& operator=(const SharedRam&) = delete;
    int file() const { return file_.get(); }
    std::span<const std::uint8_t> bytes() const { return {static_cast<const std::uint8_t*>(data_), bytes_}; }

  private:
    Descriptor file_;
    std::uint64_t bytes_;
    void* data_;
};

struct Pipe {
    Descriptor read, write;
    Pipe();  // throws EngineError
};

class LeaderProcess {
  public:
    explicit LeaderProcess(const LeaderConfig&);  // throws EngineError; nothing runs yet

    // Starts QEMU: one instruction a block, RAM shared, and `extra` at the end of its command line. `inherit`: the
    // descriptors, beside RAM and the pipe's writing end, that it gets.
    void start(const std::vector<std::string>& extra, const std::vector<int>& inherit);

    // Waits for what comes next in the pipe: valid until the next call. Empty: it has ended, or `stop` was set, or
    // there was nothing for a minute, and then it is silent().
    std::string_view read();
    // Waits a little for `descriptor` to be readable, and hands over the console's text meanwhile. False: not yet.
    bool wait_for(int descriptor);
    int finish(bool end_it);         // Leader::finish
    [[noreturn]] void never_came();  // QEMU has ended before the kernel was entered

    int pipe() const { return states_.write.get(); }
    bool stopped() const { return config_.stop && config_.stop->load(std::memory_order_relaxed); }
    bool silent() const { return silent_; }
    const SharedRam& ram() const { return ram_; }
    std::string name() const { return "qemu " + program_.version; }
    std::string errors() const { return child_->result().errors; }

    static constexpr auto patience = std::chrono::seconds(60);

  private:
    const LeaderConfig config_;
    const qemu::Program program_ = qemu::find_program();
    SharedRam ram_;
    Pipe states_;
    std::optional<ChildProcess> child_;
    std::vector<char> buffer_ = std::vector<char>(256 << 10);
    bool silent_ = false;
};

}  // namespace sim::lockstep
