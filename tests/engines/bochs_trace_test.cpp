// SPDX-License-Identifier: GPL-2.0-or-later
// Lines as Bochs 2.7 prints them, and lines that it would never print.
#include <gtest/gtest.h>

#include <sim/bochs/trace_decoder.hpp>
#include <sim/image/image.hpp>
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

// One page of a kernel, at ffffffff80201000.
struct OnePage final : Image {
    std::vector<std::uint8_t> code = std::vector<std::uint8_t>(4096, 0xcc);
    std::vector<Segment> all;
    std::string text;
    Location nowhere;

    OnePage() {
        code[0x400] = 0x6a, code[0x401] = 0;  // push 0
        all = {{.physical_address = 0x201000,
                .virtual_address = 0xffffffff80201000,
                .bytes = code,
                .memory_bytes = code.size()}};
    }
    const std::string& name() const override { return text; }
    std::span<const std::uint8_t> bytes() const override { return {}; }
    std::uint64_t entry_physical() const override { return no_entry; }
    std::optional<std::uint64_t> pvh_entry() const override { return {}; }
    std::span<const Segment> segments() const override { return all; }
    std::span<const Mark> marks() const override { return {}; }
    std::string build_id() const override { return {}; }
    const Location& locate(std::uint64_t) const override { return nowhere; }
    std::uint64_t function_start(std::uint64_t) const override { return 0; }
    std::optional<std::uint64_t> symbol(std::string_view) const override { return {}; }
};
const OnePage image;

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
    const TraceLine part =
        parse_trace_line("[CPU0 WR]: LIN 0x0000000000600ffd PHY 0x000000300ffd (len=3, WB) 10 24 bd");
    access = std::get_if<AccessLine>(&part);  // of one across two pages
    ASSERT_NE(access, nullptr);
    EXPECT_EQ(access->size, 3);
    EXPECT_EQ(access->physical_address, 0x300ffdu);
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
    TraceDecoder decoder(&events, ram, image);
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
    TraceDecoder decoder(&events, ram, image);
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

// As printed: behind the delivery comes the interrupted instruction again, and never the handler's first one.
void interrupt(TraceDecoder& decoder, const std::string& gate_high, const std::string& gate_low) {
    for (const std::string& line : std::vector<std::string>{
             "(0).[57] [0x00000012f160] 0023:0000000000801160 (unk. ctxt): sub edx, r12d ; 4429e2",
             "(0).[58] [0x00000012f163] 0023:0000000000801163 (unk. ctxt): cmp dword ptr ss:[rbp-92], edx ; 3955a4",
             "[CPU0 RD]: LIN 0x0000010000003f9c PHY 0x00000013ff9c (len=4, WB): 0x00000040",
             "CPU 0: Interrupt 0x40 occurred (error_code=0x0000)",
             "[CPU0 RD]: LIN 0xffffffff80293420 PHY 0x000000293420 (len=8, WB): " + gate_low,
             "[CPU0 RD]: LIN 0xffffffff80293428 PHY 0x000000293428 (len=8, WB): " + gate_high,
             "[CPU0 WR]: LIN 0xffffc90000287ff8 PHY 0x000000143ff8 (len=8, WB): 0x00000000 0x0000001B",
             "[CPU0 WR]: LIN 0xffffc90000287fe0 PHY 0x000000143fe0 (len=8, WB): 0x00000000 0x00000023",
             "[CPU0 WR]: LIN 0xffffc90000287fd8 PHY 0x000000143fd8 (len=8, WB): 0x00000000 0x00801166",
             "(0).[59] [0x00000012f166] 0023:0000000000801166 (unk. ctxt): jb .+16  (0x00801178) ; 7210",
             "[CPU0 WR]: LIN 0xffffc90000287fd0 PHY 0x000000143fd0 (len=8, WB): 0x00000000 0x00000000",
             "(0).[60] [0x000000201402] 0008:ffffffff80201402 (unk. ctxt): push 0x00000040 ; 6840000000"})
        decoder.line(line);
    decoder.finish();
}

TEST(BochsTraceDecoder, BehindAHardwareInterruptComesTheHandler) {
    Events events;
    TraceDecoder decoder(&events, ram, image);
    interrupt(decoder, "0x00000000 0xFFFFFFFF", "0x80208E00 0x00081400");
    ASSERT_EQ(events.transfers.size(), 1u);
    EXPECT_EQ(events.transfers[0].kind, TransferKind::interrupt);
    EXPECT_EQ(events.transfers[0].source, 0x801166u);
    EXPECT_EQ(events.transfers[0].target, 0xffffffff80201400);
    ASSERT_EQ(events.blocks.size(), 2u);
    EXPECT_EQ(events.blocks[1].address, 0xffffffff80201400);
    ASSERT_EQ(events.blocks[1].accesses.size(), 1u);
    EXPECT_EQ(events.blocks[1].accesses[0].physical_address, 0x143fd0u);
    EXPECT_EQ(decoder.retired(), 3u);
}

TEST(BochsTraceDecoder, AHandlerThatIsNotInTheImageIsRefused) {
    TraceDecoder decoder(nullptr, ram, image);
    EXPECT_THROW(interrupt(decoder, "0x00000000 0x00000000", "0x00408E00 0x00081400"), EngineError);
}

TEST(BochsTraceDecoder, PiecesOfAnOperandAreOneAccess) {
    Events events;
    TraceDecoder decoder(&events, ram, image);
    for (const char* line :
         {"(0).[1] [0x0000001023a0] 0008:ffffffff801023a0 (unk. ctxt): fld tbyte ptr ds:[rbx] ; db2b",
          "[CPU0 RD]: LIN 0xffffffff80114000 PHY 0x000000114000 (len=8, WB): 0x00000000 0x00000000",
          "[CPU0 RD]: LIN 0xffffffff80114008 PHY 0x000000114008 (len=2, WB): 0x0000",
          "(0).[2] [0x0000001023a2] 0008:ffffffff801023a2 (unk. ctxt): ret ; c3",
          "(0).[3] [0x0000001023a0] 0008:ffffffff801023a0 (unk. ctxt): fld tbyte ptr ds:[rbx] ; db2b"})
        decoder.line(line);
    ASSERT_EQ(events.blocks.size(), 1u);
    ASSERT_EQ(events.blocks[0].accesses.size(), 1u);
    EXPECT_EQ(events.blocks[0].accesses[0].size, 10);
}

TEST(BochsTraceDecoder, AnotherModeIsRefused) {
    TraceDecoder decoder(nullptr, ram, image);
    EXPECT_THROW(decoder.line("(0).[1] [0x000000001000] 0008:00001000 (unk. ctxt): nop ; 90"), EngineError);
}

}  // namespace
