// SPDX-License-Identifier: MIT
// A simulated machine as an object: an arena as physical memory and one or several CPUs, made and thrown away by each
// test, each benchmark and host_main. At most one exists at a time; what it owns dies with it.
#pragma once
#include <atomic>
#include <cstdint>
#include <hal/boot_info.hpp>
#include <hal/power.hpp>
#include <hal/upcalls.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace hal {

struct HostConfig {
    std::size_t memory_bytes = std::size_t{64} << 20;  // rounded up to pages
    std::string command_line;
    unsigned cpus = 1;             // that it announces, 1 .. cpus_limit; cpus=N on the command line may ask for fewer
    bool capture_console = false;  // console_write goes to console() instead of standard output
    std::optional<std::uint64_t> seed;  // entropy() is this sequence; without it, the host's own source
};

class HostMachine {
  public:
    // Interrupts are off, the timer is disarmed, nothing is pending, the clock starts at 0. Throws std::system_error if
    // the memory is not to be had, std::logic_error if a machine exists.
    explicit HostMachine(HostConfig = {});
    ~HostMachine();
    HostMachine(const HostMachine&) = delete;
    HostMachine& operator=(const HostMachine&) = delete;

    const BootInfo& boot_info() const { return boot_info_; }
    std::string& console() { return console_; }

    // Runs entry(argument) on a stack of kernel_stack_bytes, interrupts off. Returns when the entry does (empty), or
    // when something calls power_off, on whatever context of whatever CPU: those contexts are abandoned. The other CPUs
    // that were started are gone then; each leaves where it next looks for interrupts, relax included.
    std::optional<PowerOff> run(void (*entry)(void*), void* argument);

    // Makes an interrupt pending on the calling CPU, as a device would. One that is not the timer's replaces another
    // that waits.
    void raise(Interrupt, unsigned vector);

  private:
    HostConfig config_;
    std::atomic<std::uint64_t> entropy_state_ = 0;
    std::string console_;
    MemoryRange memory_;
    BootInfo boot_info_;
};

// The whole of a host program's main: `--cmdline TEXT`, `--memory MiB`, `--seed N`, `--cpus N`; starts kernel_main on a
// machine of its own. Returns the exit status: 0 or 3 by power_off, 2 for bad usage.
int host_main(int argc, char** argv);

}  // namespace hal
