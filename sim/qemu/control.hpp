// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's control protocol (QMP) over a socket that it inherits: how a guest ended where the exit status is 0. A reset
// and a power-off look the same from outside; an event of the protocol tells them apart.
#pragma once
#include <sim/process/child.hpp>
#include <string>
#include <vector>

namespace sim::qemu {

class Control {
  public:
    Control();  // throws ProcessError
    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;

    std::vector<std::string> arguments() const;  // for CommandLine::extra
    // Its events are read while `child` is pumped. To be called once; must outlive the child.
    void listen(Child& child);
    void child_started() { theirs_.close(); }

    bool started() const { return told("\"return\""); }            // QEMU was set up
    bool reset() const { return told("\"guest-reset\""); }         // a triple fault, or the guest's wish
    bool shut_down() const { return told("\"guest-shutdown\""); }  // by ACPI

  private:
    bool told(std::string_view what) const { return events_.find(what) != std::string::npos; }

    static constexpr std::size_t events_most_ = 65536;  // bytes
    Descriptor ours_, theirs_;
    std::string events_;
};

}  // namespace sim::qemu
