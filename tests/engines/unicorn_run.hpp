// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a guest of guests/ and keeps what came of it. The sink checks what every event stream promises.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <sim/engine.hpp>
#include <sim/image/image.hpp>
#include <string>
#include <vector>

namespace sim::test {

struct RecordedTransfer {
    Transfer transfer;
    std::uint64_t retired;  // told by blocks until then
};

// Checks the order and completeness of the stream, digests it, and keeps what tests look at.
class CheckingSink : public EventSink {
  public:
    void on_code(const CodeBlock& code) override {
        EXPECT_TRUE(known_.insert(&code).second) << "a code block was announced twice";
        EXPECT_FALSE(code.instructions.empty());
        EXPECT_LE(code.instructions.size(), max_block_instructions);
        digest(code.id), digest(code.address), digest(code.physical_address), digest(code.version);
        for (const std::uint8_t byte : code.bytes) digest(byte);
        codes.push_back(&code);
    }
    void on_block(const Block& block) override {
        EXPECT_TRUE(known_.contains(block.code)) << "a block ran that was not announced";
        EXPECT_EQ(block.first_index, retired) << "instructions are missing or told twice";
        ASSERT_LE(block.first + block.count, block.code->instructions.size());
        EXPECT_TRUE(block.count || !block.accesses.empty());
        retired += block.count;
        digest(block.cpu), digest(block.code->id), digest(block.first), digest(block.count), digest(block.taken);
        for (const Access& access : block.accesses) check(block, access);
        last_taken = block.taken;
    }
    void on_input(const Input& input) override {
        in_order(input.index);
        digest(std::uint64_t(input.kind)), digest(input.address), digest(input.value);
        inputs.push_back(input);
    }
    void on_control(const Control& control) override {
        in_order(control.index);
        digest(control.which), digest(control.value);
        controls.push_back(control);
    }
    void on_transfer(const Transfer& transfer) override {
        in_order(transfer.index);
        digest(transfer.vector), digest(transfer.source), digest(transfer.target), digest(transfer.error_code);
        transfers.push_back({transfer, retired});
    }
    void on_halt(const Halt& halt) override {
        in_order(halt.index);
        digest(halt.skipped_ticks);
        halts.push_back(halt);
    }

    std::uint64_t retired = 0, hash = 0xcbf29ce484222325;
    bool last_taken = false;
    std::vector<const CodeBlock*> codes;
    std::vector<Access> accesses;
    std::vector<Input> inputs;
    std::vector<Control> controls;
    std::vector<RecordedTransfer> transfers;
    std::vector<Halt> halts;

  private:
    void digest(std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3; }
    void in_order(InstructionIndex index) { EXPECT_EQ(index, retired) << "an event is out of program order"; }
    void check(const Block& block, const Access& access) {
        EXPECT_GE(access.instruction, block.first);
        EXPECT_LE(access.instruction, block.first + block.count);  // equal: of a string instruction that goes on
        EXPECT_GE(access.size, 1);
        EXPECT_LE(access.size, 64);
        EXPECT_EQ(access.virtual_address % 4096, access.physical_address % 4096);
        EXPECT_LE(access.virtual_address % 4096 + access.size, 4096u);
        digest(access.virtual_address), digest(access.physical_address), digest(access.size);
        digest(std::uint64_t(access.kind)), digest(access.instruction);
        accesses.push_back(access);
    }
    std::set<const CodeBlock*> known_;
};

struct Outcome {
    RunResult result;
    std::string console;
};

inline Outcome run_guest(const std::string& guest, RunConfig config = {}) {
    static const std::unique_ptr<Engine> engine = make_unicorn_engine();
    const auto image = Image::load(std::string(EXO_GUESTS) + "/guest_" + guest);
    Outcome outcome;
    config.image = image.get();
    if (config.entry == BootProtocol::automatic) config.entry = BootProtocol::direct;
    if (config.ram_bytes == RunConfig{}.ram_bytes) config.ram_bytes = 16 << 20;
    if (!config.instruction_limit) config.instruction_limit = 1'000'000;
    config.console = [&](std::string_view text) { outcome.console += text; };
    outcome.result = engine->run(config);
    if (config.events) {
        EXPECT_EQ(static_cast<CheckingSink*>(config.events)->retired, outcome.result.instructions);
    }
    return outcome;
}

}  // namespace sim::test
