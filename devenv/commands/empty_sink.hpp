// SPDX-License-Identifier: GPL-2.0-or-later
// Events that nobody wants: what telling them alone costs.
#pragma once
#include <sim/events.hpp>

namespace devenv {

class EmptySink final : public sim::EventSink {
  public:
    void on_code(const sim::CodeBlock&) override {}
    void on_block(const sim::Block&) override {}
    void on_input(const sim::Input&) override {}
    void on_control(const sim::Control&) override {}
    void on_transfer(const sim::Transfer&) override {}
    void on_halt(const sim::Halt&) override {}
};

}  // namespace devenv
