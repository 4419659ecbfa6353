// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/trace/replay.hpp>

namespace sim {

TraceVisitor replay_to(EventSink& sink, const std::atomic<bool>* stop) {
    const auto go_on = [stop] { return !stop || !stop->load(std::memory_order_relaxed); };
    TraceVisitor v;
    v.code = [&sink](const CodeBlock& code) { return sink.on_code(code), true; };
    v.block = [&sink, go_on](const Block& block, std::span<const RetireTime>, Cycle) {
        return sink.on_block(block), go_on();
    };
    v.input = [&sink](const Input& input, Cycle) { return sink.on_input(input), true; };
    v.control = [&sink](const Control& control, Cycle) { return sink.on_control(control), true; };
    v.transfer = [&sink](const Transfer& transfer, Cycle) { return sink.on_transfer(transfer), true; };
    v.halt = [&sink](const Halt& halt, Cycle) { return sink.on_halt(halt), true; };
    return v;
}

}  // namespace sim
