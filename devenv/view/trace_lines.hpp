// SPDX-License-Identifier: GPL-2.0-or-later
// How `trace show` writes what it finds: text for people or JSON lines for programs, one interface.
#pragma once
#include <devenv/view/style.hpp>
#include <memory>
#include <optional>
#include <sim/image/decoder.hpp>
#include <sim/image/image.hpp>
#include <sim/trace/trace.hpp>
#include <string>

namespace devenv {

struct TraceLinesOptions {
    bool json = false;
    bool accesses = false;  // text: a line each below the instruction; JSON: an array in it
    sim::Syntax syntax = sim::Syntax::intel;
    Style style;
    bool several_cpus = false;  // the CPU stands before the instruction's number
};

// An instruction whose result another waited for.
struct Producer {
    sim::InstructionIndex index;
    const sim::CodeBlock* code;
    const sim::Instruction* instruction;
};

// How an instruction went through the core.
struct Stages {
    sim::InstructionTimes times;
    sim::RetireTime time;
    std::optional<Producer> producer;
    std::string units;  // that it waited for; "" unless it did
    sim::MissCounts misses{};
};

class TraceLines {  // each returns whole lines
  public:
    virtual ~TraceLines() = default;
    // With stages (null: none), a line has them in place of address and symbol.
    virtual std::string instruction(const sim::TraceRecord&, const Stages*) = 0;
    virtual std::string transfer(const sim::Transfer&, sim::Cycle) = 0;
    virtual std::string halt(const sim::Halt&, sim::Cycle) = 0;
    virtual std::string input(const sim::Input&, sim::Cycle) = 0;
    virtual std::string control(const sim::Control&, sim::Cycle) = 0;
};

// The image may be null: no names then.
std::unique_ptr<TraceLines> make_trace_lines(const sim::Image*, const TraceLinesOptions&);

}  // namespace devenv
