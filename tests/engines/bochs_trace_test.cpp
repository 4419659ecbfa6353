// SPDX-License-Identifier: GPL-2.0-or-later
// Lines as Bochs 2.7 prints them, and lines that it would never print.
#include <gtest/gtest.h>

#include <sim/bochs/trace_decoder.hpp>
#include <string>

namespace {

using namespace sim;
using namespace sim::bochs;

struct Events final : EventSink {
    struct Seen {
        std::uint64_t address;
        std::uint32_t count;
        bool taken;
        std::vector<Access> accesses;
    };
    std::vector<Seen> blocks;
    std::vector<Transfer> transfers;

    void on_code(const CodeBlock&) override {}
    void on_block(const Block& b) override {
        blocks.push_back({b.code->address, b.count, b.taken, {b.accesses.begin(), b.accesses.end()}});
    }
    void on_input(const Input&) override {}
    void on_control(const Control&) override {}
    void on_transfer(const Transfer& transfer) override { transfers.push_back(transfer); }
    void on_halt(const Halt&) override {}
};

constexpr std::uint64_t ram = 128 << 20;

TEST(BochsTraceLines, AreTakenApart) {
    const TraceLine line = parse_trace_line(
        "(0).[765714583] [0x0000002010e0] 0008:ffffffff802010e0 (unk. ctxt): push 0x0000000e           ; 680e000000");
    const auto* instruction = std::get_if<InstructionLine>(&line);
    ASSERT_NE(instruction, nullptr);
    EXPECT_EQ(instruction->address, 0xffffffff802010e0);
    EXPECT_EQ(instruction->physical_address, 0x2010e0u);
    EXPECT_EQ(instruction->length, 5);
    EXPECT_EQ(instruction->bytes[1], 0x0e);
    const TraceLine other =
        parse_trace_line("[CPU0 WR]: LIN 0x0000010000003ff8 PHY 0x00000011eff8 (len=8, WB): 0x12345678 0x9ABCDEF0");
    const auto* access = std::get_if<AccessLine>(&other);
    ASSERT_NE(access, nullptr);
    EXPECT_EQ(access->kind, AccessKind::store);
    EXPECT_EQ(access->size, 8);
    EXPECT_EQ(access->value, 0x123456789abcdef0);
}

TEST(BochsTraceLines, GarbageIsPassedOver) {
    for (const char* text :
         {"", "(", "(0)", "(0).[", "(0).[12] [0x", "(0).[1] [0x10] 0008:10 (unk. ctxt): nop",
          "(0).[1] [0x10] 0008:10 ; 9", "(0).[1] [0x10] 0008:ffffffff80201000 (unk. ctxt): nop ; zz",
          "(0).[1] [0x10] 0008:ffffffff80201000 (unk. ctxt): nop ; 90909090909090909090909090909090", "[CPU0 RD]: LIN",
          "[CPU0 XX]: LIN 0x10 PHY 0x10 (len=8, WB): 0x0 0x0", "[CPU0 RD]: LIN 0x10 PHY 0x10 (len=800, WB): 0x0 0x0",
          "[CPU0 RD]: LIN 0x10 PHY 0x10 (len=8, WB): 0x0",
          "[CPU0 RD]: PHY 0x00000026eff8 (len=8, WB): 0x0 0x1\t; PML4E",
          "CPU 0: Interrupt 0x1ff occurred (error_code=0x0)", "Next at t=0", "\x1b[2J\xff\xfe"})
        EXPECT_TRUE(std::holds_alternative<OtherLine>(parse_trace_line(text))) << text;
}

TEST(BochsTraceDecoder, AFaultIsATransferAndDoesNotRetire) {
    Events events;
    TraceDecoder decoder(&events, ram);
    for (const char* line :
         {"(0).[1] [0x00000012e00b] 0023:0000000000b0100b (unk. ctxt): jmp qword ptr ds:[rdi*8+11542528] ; "
          "ff24fd0020b000",
          "[CPU0 RD]: LIN 0x0000000000b02000 PHY 0x00000012f000 (len=8, WB): 0x00000000 0x00B01012",
          "(0).[2] [0x00000012e012] 0023:0000000000b01012 (unk. ctxt): mov dword ptr ds:0, 0 ; c704250000000000000000",
          "CPU 0: Exception 0x0e - (#PF) page fault occurred (error_code=0x0006)",
          "CPU 0: Interrupt 0x0e occurred (error_code=0x0006)",
          "[CPU0 RD]: LIN 0xffffffff80294100 PHY 0x000000294100 (len=8, WB): 0x80208E00 0x000810E0",
          "[CPU0 WR]: LIN 0xffffc90000287fd8 PHY 0x000000143fd8 (len=8, WB): 0x00000000 0x00B01012",
          "[CPU0 WR]: LIN 0xffffc90000287fd0 PHY 0x000000143fd0 (len=8, WB): 0x00000000 0x00000006",
          "(0).[3] [0x0000002010e0] 0008:ffffffff802010e0 (unk. ctxt): push 0x0000000e           ; 680e000000"})
        decoder.line(line);
    decoder.finish();
    EXPECT_EQ(decoder.retired(), 1u);
    ASSERT_EQ(events.blocks.size(), 1u);
    EXPECT_FALSE(events.blocks[0].taken);  // by address, as in every engine: this jump goes to the next instruction
    EXPECT_EQ(events.blocks[0].accesses.size(), 1u);
    ASSERT_EQ(events.transfers.size(), 1u);
    EXPECT_EQ(events.transfers[0].vector, 14);
    EXPECT_EQ(events.transfers[0].error_code, 6u);
    EXPECT_EQ(events.transfers[0].source, 0xb01012u);
    EXPECT_EQ(events.transfers[0].target, 0xffffffff802010e0);
}

TEST(BochsTraceDecoder, IterationsOfAStringInstructionRetireOnce) {
    Events events;
    TraceDecoder decoder(&events, ram);
    for (int i = 0; i < 3; ++i) {
        decoder.line(
            "(0).[9] [0x000000202da5] 0008:ffffffff80202da5 (unk. ctxt): rep stosq qword ptr es:[rdi], rax ; f348ab");
        decoder.line("[CPU0 WR]: LIN 0xffffffff8027af" + std::to_string(40 + 8 * i) + " PHY 0x00000027af" +
                     std::to_string(40 + 8 * i) + " (len=8, WB): 0x00000000 0x00000000");
    }
    decoder.line("(0).[12] [0x000000202da8] 0008:ffffffff80202da8 (unk. ctxt): ret ; c3");
    EXPECT_EQ(decoder.retired(), 1u);
    decoder.finish();
    ASSERT_EQ(events.blocks.size(), 1u);
    EXPECT_EQ(events.blocks[0].count, 1u);
    EXPECT_EQ(decoder.retired(), 1u);
}

TEST(BochsTraceDecoder, AnotherModeIsRefused) {
    TraceDecoder decoder(nullptr, ram);
    EXPECT_THROW(decoder.line("(0).[1] [0x000000001000] 0008:00001000 (unk. ctxt): nop ; 90"), EngineError);
}

}  // namespace
