// SPDX-License-Identifier: MIT
// A simulated machine as an object: an arena as physical memory and one CPU, made and thrown away by each test, each
// benchmark and host_main. At most one exists at a time; what it owns dies with it.
#pragma once
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
    bool capture_console = false;       // console_write goes to console() instead of standard output
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
    // when something calls power_off, on whatever context it runs: those contexts are abandoned.
    std::optional<PowerOff> run(void (*entry)(void*), void* argument);

    // Makes an interrupt pending, as a device would. One that is not the timer's replaces another that waits.
    void raise(Interrupt, unsigned vector);

  private:
    HostConfig config_;
    std::string console_;
    MemoryRange memory_;
    BootInfo boot_info_;
};

// The whole of a host program's main: `--cmdline TEXT`, `--memory MiB`, `--seed N`; starts kernel_main on a machine of
// its own. Returns the exit status: 0 or 3 by power_off, 2 for bad usage.
int host_main(int argc, char** argv);

}  // namespace hal
