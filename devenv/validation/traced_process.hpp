// SPDX-License-Identifier: GPL-2.0-or-later
// The instructions of a Linux process between its breakpoints, stepped one by one by ptrace and handed to a timing
// model: the same object code as runs natively, with the addresses it really uses.
#pragma once
#include <cstdint>
#include <memory>
#include <sim/image/decoder.hpp>
#include <sim/timing/model.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace devenv {

// One thread traces; the process dies with it.
class TracedProcess {
  public:
    // `pid`: of this user, running; its main thread is traced. Throws std::runtime_error with the cause.
    explicit TracedProcess(int pid);
    ~TracedProcess();
    TracedProcess(const TracedProcess&) = delete;
    TracedProcess& operator=(const TracedProcess&) = delete;

    // Lets it run at full speed to its next breakpoint (int3). False: it ended before.
    bool run_to_breakpoint();
    struct Steps {
        std::uint64_t instructions = 0;
        bool ended = false;          // before the next breakpoint
        bool entered_linux = false;  // it made a system call: not the code's own time
    };
    // Steps to the next breakpoint, telling the model each instruction; `most` instructions at most. Signals that come
    // meanwhile (the host kernel's timer) are dropped. Throws std::runtime_error for code that cannot be read.
    Steps step_to_breakpoint(sim::TimingModel&, std::uint64_t most);

  private:
    struct Registers;
    struct Site {  // an instruction of the program
        sim::Instruction instruction;
        std::vector<std::uint8_t> bytes;
    };
    const Site& site(std::uint64_t address);
    bool wait_for_stop(int& signal);
    void add_accesses(const Site&, const Registers&, std::uint16_t number);
    void flush(sim::TimingModel&, bool taken);

    int pid_;
    bool gone_ = false;
    std::unique_ptr<sim::Decoder> decoder_;
    std::unordered_map<std::uint64_t, Site> sites_;
    std::unordered_map<std::uint64_t, std::vector<std::unique_ptr<sim::CodeBlock>>> blocks_;  // by address
    sim::CodeId next_id_ = 0;
    std::uint64_t retired_ = 0;
    std::vector<const Site*> pending_;  // a straight line of instructions not yet told
    std::vector<sim::Access> accesses_;
    std::vector<sim::RetireTime> times_;
};

}  // namespace devenv
