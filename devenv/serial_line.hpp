// SPDX-License-Identifier: GPL-2.0-or-later
// A serial line to read from: a terminal device, or the master side of a pseudo-terminal that somebody else (QEMU) is
// to write to. Exclusive while it is open; a device's settings are put back afterwards.
#pragma once
#include <termios.h>

#include <optional>
#include <sim/process/descriptor.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace devenv {

std::vector<unsigned> known_bauds();

class SerialLine {
  public:
    // 8 data bits, no parity, one stop bit, no flow control. Throws Failure: usage if it is not there, no terminal or
    // forbidden, missing if another program uses it.
    static SerialLine device(const std::string& path, unsigned baud);
    static SerialLine pseudo_terminal();

    ~SerialLine();
    SerialLine(SerialLine&&) = default;
    SerialLine& operator=(SerialLine&&) = delete;

    const std::string& name() const { return name_; }  // of the side to write to, if a pseudo-terminal

    enum class Read { data, nothing, gone };
    // Waits for bytes, at most so long. gone: unplugged, or whoever wrote to the pseudo-terminal has closed it.
    Read read(std::string& bytes, int wait_ms);

  private:
    SerialLine() = default;
    std::string name_;
    sim::Descriptor line_;
    sim::Descriptor other_side_;  // of a pseudo-terminal, until the first byte: nobody else may have opened it yet
    std::optional<termios> settings_before_;
};

}  // namespace devenv
