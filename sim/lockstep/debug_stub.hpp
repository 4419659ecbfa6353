// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's gdb stub, as far as it stops the leader at the kernel's entry and gives its monitor a command there: packets
// of gdb's remote serial protocol over a socket that QEMU inherits.
#pragma once
#include <functional>
#include <sim/process/descriptor.hpp>
#include <string>
#include <string_view>

namespace sim::lockstep {

class DebugStub {
  public:
    // Waits a little for the descriptor to be readable: false, not yet. Throws what ends the waiting.
    using Wait = std::function<bool(int descriptor)>;
    explicit DebugStub(Wait wait);  // throws EngineError

    int far_end() const { return theirs_.get(); }  // for QEMU, until started()
    void started() { theirs_.close(); }

    // Sends a packet and waits for the answer. Empty: QEMU has ended, or answered what is no packet.
    std::string ask(std::string_view packet);
    // The same with a command for the monitor ("log cpu"). True: it was taken without a word.
    bool monitor(std::string_view command);

  private:
    bool send(std::string_view bytes);
    std::string receive();

    Wait wait_;
    Descriptor ours_, theirs_;
};

}  // namespace sim::lockstep
