// SPDX-License-Identifier: GPL-2.0-or-later
// From the lines of Bochs's trace to the events of sim/events.hpp. An instruction is told before it executes: whether
// it retired is known when the next one comes. It has not if an exception pushed its own address, or if it is a string
// instruction that goes on. Behind a hardware interrupt Bochs 2.7 prints the interrupted instruction once more instead
// of the handler's first one: that one's address is the gate's, and its bytes are the image's. 64-bit code and one CPU
// only.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <sim/bochs/trace_lines.hpp>
#include <sim/engine.hpp>
#include <sim/image/code_blocks.hpp>
#include <sim/image/decoder.hpp>
#include <string_view>
#include <vector>

namespace sim {
class Image;
}

namespace sim::bochs {

class TraceDecoder {
  public:
    // `events` may be null. RAM from 0 to `ram_bytes`, without the hole for the screen: other accesses are a device's.
    TraceDecoder(EventSink* events, std::uint64_t ram_bytes, const Image& image);

    // A line before the first breakpoint, or one that is not understood, is passed over. Throws EngineError when the
    // guest leaves 64-bit mode or a hardware interrupt's handler is not in the image, and what the sink throws.
    // Returns whether an instruction is about to execute.
    bool line(std::string_view);
    void finish();  // no line comes any more: tells what has retired. The instruction at hand has not.

    InstructionIndex retired() const { return retired_ + pending_retired(); }
    // Address of the instruction that is about to execute.
    std::optional<std::uint64_t> about_to_execute() const;
    bool halted() const { return now_ && now_->special == Special::hlt; }
    std::uint64_t breakpoints() const { return breakpoints_; }
    const std::vector<InstructionIndex>& interrupts_at() const { return interrupts_at_; }
    std::shared_ptr<std::deque<CodeBlock>> code_blocks() const { return blocks_.all(); }

  private:
    void take(InstructionLine);
    void take(const AccessLine&);
    bool reprinted(const InstructionLine&) const;
    InstructionLine first_of_handler(std::uint64_t tick) const;
    bool part_of_operand(const AccessLine&) const;
    void settle(std::uint64_t next_address);
    void start(const InstructionLine&, const Instruction&);
    Instruction decode(const InstructionLine&);
    void drop_descriptor_accesses();
    void emit(bool taken, bool last_retired);
    const CodeBlock& code_for_block();
    void transfer(std::uint64_t source, std::uint64_t target);
    InstructionIndex pending_retired() const { return instructions_.empty() ? 0 : instructions_.size() - 1; }

    struct Delivery {
        InterruptLine line;
        bool exception;
        TransferKind kind = TransferKind::interrupt;
        std::uint64_t pushed[2] = {};  // the last two, the latest first
        std::uint64_t gate[2] = {};    // of the IDT: what is loaded first
        std::size_t loads = 0;

        bool error_code() const;       // it pushes one
        std::uint64_t source() const;  // RIP that was interrupted
        std::uint64_t target() const;  // handler
    };
    EventSink* events_;
    std::uint64_t ram_bytes_;
    const Image& image_;
    std::unique_ptr<Decoder> decoder_;
    CodeBlocks blocks_;
    // The block at hand. Its last instruction is the one that is about to execute.
    std::vector<Instruction> instructions_;
    std::vector<std::uint8_t> bytes_;
    std::uint64_t physical_address_ = 0;
    std::vector<Access> accesses_;
    std::optional<Instruction> now_;
    std::size_t accesses_before_ = 0;  // of the block: they belong to instructions before this one
    bool exception_raised_ = false;
    std::optional<Delivery> delivery_;
    InstructionIndex retired_ = 0;
    std::uint64_t breakpoints_ = 0;
    std::vector<InstructionIndex> interrupts_at_;
};

}  // namespace sim::bochs
