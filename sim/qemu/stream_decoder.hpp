// SPDX-License-Identifier: GPL-2.0-or-later
// From the stream's words to the events of sim/events.hpp.
//
// The stream counts instructions that were started. One that was started has retired, unless
//   - the next block is an exception's handler and the pushed RIP is the instruction's own, or
//   - the next block begins with the same instruction: QEMU starts a string instruction once for each iteration, and
//     one that wrote into its own block once more.
// An instruction that touches a device in the middle of a block ends it early, and is counted once.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <sim/engine.hpp>
#include <sim/qemu/stream.hpp>
#include <sim/qemu/translated_code.hpp>
#include <span>
#include <vector>

namespace sim::qemu {

class StreamDecoder {
  public:
    // `events` may be null: then instructions are counted only.
    StreamDecoder(EventSink* events, std::optional<InstructionIndex> limit, std::uint64_t low_ram_bytes);

    void feed(std::span<const std::uint64_t> words);  // throws EngineError if they make no sense, what the sink throws

    InstructionIndex retired() const { return retired_; }
    bool limit_reached() const { return limit_ && retired_ >= *limit_; }
    bool ended() const { return ended_; }  // QEMU ended in good order
    bool begun() const { return begun_; }  // the kernel was entered
    bool halted() const;                   // the block at hand ends in HLT
    void settle_halt();                    // and nothing comes after it: it has retired
    // Once it has ended: the instruction that was started last, or null, and the registers of its CPU.
    const Instruction* last_started() const { return last_; }
    const Registers& registers() const { return registers_; }
    std::uint16_t last_port() const;  // if that was OUT
    const std::vector<InstructionIndex>& cpu_retired() const { return cpu_retired_; }
    const std::vector<InstructionIndex>& interrupts_at() const { return interrupts_at_; }
    std::shared_ptr<std::deque<CodeBlock>> code_blocks() const { return code_.blocks(); }

  private:
    struct Handler {
        std::uint8_t vector;
        std::array<std::uint64_t, stream::frame_words> frame;
        std::uint64_t cr2;
    };

    struct SetAside {  // a CPU's last block while others run
        const TranslationBlock* block = nullptr;
        std::uint32_t started = 0;
        std::vector<Access> accesses;
    };

    std::size_t other(std::span<const std::uint64_t> record);
    void begin_block(std::uint64_t word);
    void switch_cpu(std::uint32_t cpu, std::uint32_t started);
    void finish_block(std::uint32_t started, std::optional<std::uint64_t> next_address);
    std::optional<std::uint64_t> source(const Instruction& last) const;
    void emit(std::uint32_t retired, bool taken);
    void emit_unfinished(const Instruction& last, std::uint32_t retired, bool goes_on);
    void drop_descriptor_accesses();
    void transfer(const Instruction& last, std::uint64_t from);
    void add_access(const Access&);
    void take_access(std::uint64_t word);
    void take_registers(std::span<const std::uint64_t> values);

    EventSink* events_;
    std::optional<InstructionIndex> limit_;
    TranslatedCode code_;
    const TranslationBlock* block_ = nullptr;  // at hand
    std::uint32_t cpu_ = 0;
    InstructionIndex retired_ = 0;
    std::vector<InstructionIndex> cpu_retired_, interrupts_at_;
    std::vector<Access> accesses_;  // of the block at hand; their `instruction` is the index in the translation block
    std::array<SetAside, stream::cpus_most> set_aside_;
    std::vector<Access> held_;        // working memory
    std::optional<Handler> handler_;  // the next block is one
    std::uint64_t handler_target_ = 0;
    bool begun_ = false, ended_ = false;
    const Instruction* last_ = nullptr;
    Registers registers_{};
    std::array<std::array<std::uint64_t, stream::page_slots>, stream::cpus_most> pages_{};
};

}  // namespace sim::qemu
