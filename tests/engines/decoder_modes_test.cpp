// SPDX-License-Identifier: GPL-2.0-or-later
// The decoder in 16 and 32-bit code, against tables written from the manuals.
#include <gtest/gtest.h>

#include <random>
#include <sim/image/decoder.hpp>
#include <sstream>

namespace {

using sim::CodeMode;
using sim::Decoder;
using sim::Flow;
using sim::Special;

constexpr CodeMode code16{16, 16}, code32{32, 32}, code64{};

std::vector<std::uint8_t> parse(const std::string& hex) {
    std::vector<std::uint8_t> bytes;
    std::istringstream stream(hex);
    for (unsigned value; stream >> std::hex >> value;) bytes.push_back(std::uint8_t(value));
    return bytes;
}

// "load4 ds:a32[3+5]": kind, bytes, segment, address size, base + index by number, displacement.
std::string memory(const sim::Instruction& instruction) {
    std::ostringstream out;
    for (unsigned i = 0; i < instruction.operand_count; ++i) {
        const auto& m = instruction.memory[i];
        static constexpr const char* kinds[] = {"load", "store", "rmw"};
        static constexpr const char* segments[] = {"", "fs:", "gs:", "es:", "cs:", "ss:", "ds:"};
        out << (i ? "; " : "") << kinds[unsigned(m.kind)] << m.size << ' ' << segments[unsigned(m.segment)] << 'a'
            << unsigned(m.address_bits) << '[';
        if (m.base != sim::no_register) out << unsigned(m.base);
        if (m.index != sim::no_register) out << '+' << unsigned(m.index) << '*' << unsigned(m.scale);
        if (m.displacement) out << (m.displacement < 0 ? "-" : "+") << std::hex << std::abs(m.displacement) << std::dec;
        out << ']';
        EXPECT_EQ(m.linear32, instruction.code_bits != 64);
    }
    return out.str();
}

struct Case {
    CodeMode mode;
    const char* hex;
    const char* text;
    const char* memory;
    Special special = Special::plain;
    Flow flow = Flow::next;
};

TEST(DecoderModes, OperandsTextAndKind) {
    static constexpr Case cases[] = {
        {code16, "8b 07", "mov ax, word ptr [bx]", "load2 ds:a16[3]"},
        {code16, "66 8b 07", "mov eax, dword ptr [bx]", "load4 ds:a16[3]"},
        {code16, "8b 42 fe", "mov ax, word ptr [bp + si - 0x2]", "load2 ss:a16[5+6*1-2]"},
        {code16, "67 8b 04 8b", "mov ax, word ptr [ebx + 4*ecx]", "load2 ds:a32[3+1*4]"},
        {code16, "2e 66 0f 01 16 40 00", "lgdtd cs:[0x40]", "load6 cs:a16[+40]", Special::lgdt},
        {code16, "0f 20 c0", "mov eax, cr0", "", Special::mov_from_cr},
        {code16, "0f 22 c0", "mov cr0, eax", "", Special::mov_to_cr},
        {code16, "ea 00 10 08 00", "ljmp 0x8, 0x1000", "", Special::far_transfer, Flow::branch},
        {code16, "66 ea 00 10 00 00 08 00", "ljmp 0x8, 0x1000", "", Special::far_transfer, Flow::branch},
        {code16, "50", "push ax", "store2 ss:a16[4-2]"},
        {code16, "66 50", "push eax", "store4 ss:a16[4-4]"},
        {code16, "e8 00 00", "call 0x1003", "store2 ss:a16[4-2]", Special::plain, Flow::call},
        {code16, "c3", "ret", "load2 ss:a16[4]", Special::plain, Flow::ret},
        {code16, "cb", "retf", "load4 ss:a16[4]", Special::far_transfer, Flow::ret},
        {code16, "cf", "iret", "load6 ss:a16[4]", Special::iret, Flow::trap},
        {code16, "f3 a4", "rep movsb byte ptr es:[di], byte ptr [si]", "load1 ds:a16[6]; store1 es:a16[7]",
         Special::string},
        {code16, "60", "pushaw", "store16 ss:a16[4-10]"},
        {code16, "c5 1e 04 00", "lds bx, [0x4]", "load4 ds:a16[+4]"},
        {code16, "a1 34 12", "mov ax, word ptr [0x1234]", "load2 ds:a16[+1234]"},
        {code32, "40", "inc eax", ""},
        {code32, "8b 45 08", "mov eax, dword ptr [ebp + 0x8]", "load4 ss:a32[5+8]"},
        {code32, "3e 8b 45 08", "mov eax, dword ptr ds:[ebp + 0x8]", "load4 ds:a32[5+8]"},
        {code32, "65 a1 14 00 00 00", "mov eax, dword ptr gs:[0x14]", "load4 gs:a32[+14]"},
        {code32, "67 8b 07", "mov eax, dword ptr [bx]", "load4 ds:a16[3]"},
        {code32, "55", "push ebp", "store4 ss:a32[4-4]"},
        {code32, "66 50", "push ax", "store2 ss:a32[4-2]"},
        {code32, "c9", "leave", "load4 ss:a32[5]"},
        {code32, "ff 74 24 04", "push dword ptr [esp + 0x4]", "load4 ss:a32[4+4]; store4 ss:a32[4-4]"},
        {code32, "8f 44 24 04", "pop dword ptr [esp + 0x4]", "load4 ss:a32[4]; store4 ss:a32[4+8]"},
        {code32, "0f 01 15 00 00 10 00", "lgdtd [0x100000]", "load6 ds:a32[+100000]", Special::lgdt},
        {code32, "0f 22 d8", "mov cr3, eax", "", Special::mov_to_cr},
        {code32, "ea 00 00 10 00 08 00", "ljmp 0x8, 0x100000", "", Special::far_transfer, Flow::branch},
        {code32, "ff 2d 00 00 10 00", "jmp [0x100000]", "load6 ds:a32[+100000]", Special::far_transfer,
         Flow::indirect_branch},
        {code32, "9a 00 00 10 00 08 00", "lcall 0x8, 0x100000", "store8 ss:a32[4-8]", Special::far_transfer,
         Flow::call},
        {code32, "cb", "retf", "load8 ss:a32[4]", Special::far_transfer, Flow::ret},
        {code32, "cf", "iretd", "load12 ss:a32[4]", Special::iret, Flow::trap},
        {code32, "17", "pop ss", "load4 ss:a32[4]", Special::mov_ss},
        {code32, "9c", "pushfd", "store4 ss:a32[4-4]", Special::pushf},
        {code32, "9d", "popfd", "load4 ss:a32[4]", Special::popf},
        {code32, "61", "popal", "load32 ss:a32[4]"},
        {code32, "f3 ab", "rep stosd dword ptr es:[edi], eax", "store4 es:a32[7]", Special::string},
        {code32, "26 8b 1e", "mov ebx, dword ptr es:[esi]", "load4 es:a32[6]"},
        {code32, "ce", "into", "", Special::int_n, Flow::trap},
        {code32, "cd 80", "int 0x80", "", Special::int_n, Flow::trap},
        {code32, "c5 f8 77", "vzeroupper", "", Special::unsupported},
        {CodeMode{32, 16}, "55", "push ebp", "store4 ss:a16[4-4]"},
        {code64, "55", "push rbp", "store8 a64[4-8]"},
    };
    for (const Case& it : cases) {
        const auto decoder = Decoder::make(it.mode);
        auto bytes = parse(it.hex);
        const std::size_t length = bytes.size();
        const std::string what = std::to_string(it.mode.bits) + ": " + it.hex;
        EXPECT_EQ(decoder->text(bytes, 0x1000), it.text) << what;
        bytes.resize(15);
        const auto instruction = decoder->decode(bytes, 0x1000);
        ASSERT_TRUE(instruction) << what;
        EXPECT_EQ(instruction->length, length) << what;
        EXPECT_EQ(instruction->code_bits, it.mode.bits) << what;
        EXPECT_EQ(memory(*instruction), it.memory) << what;
        EXPECT_EQ(instruction->special, it.special) << what;
        EXPECT_EQ(instruction->flow, it.flow) << what;
    }
}

// Whatever the bytes are: no crash, and lengths and operands within their bounds.
TEST(DecoderModes, RandomBytes) {
    std::mt19937 random(7);
    for (const CodeMode mode : {code16, code32, CodeMode{32, 16}, CodeMode{16, 32}}) {
        const auto decoder = Decoder::make(mode);
        unsigned decoded = 0;
        for (unsigned i = 0; i < 20'000; ++i) {
            std::uint8_t bytes[15];
            for (auto& byte : bytes) byte = std::uint8_t(random());
            const auto instruction = decoder->decode(bytes, i);
            if (!instruction) continue;
            ++decoded;
            EXPECT_GE(instruction->length, 1);
            EXPECT_LE(instruction->length, 15);
            EXPECT_LE(instruction->operand_count, 2);
            for (unsigned k = 0; k < instruction->operand_count; ++k) {
                EXPECT_NE(instruction->memory[k].address_bits, 64);
                EXPECT_NE(instruction->memory[k].segment, sim::SegmentBase::none);
                EXPECT_GT(instruction->memory[k].size, 0);
            }
        }
        EXPECT_GT(decoded, 10'000u);
    }
}

}  // namespace
