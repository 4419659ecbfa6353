// SPDX-License-Identifier: GPL-2.0-or-later
// The decoder against tables written from the manuals, against the assembler, and against random bytes.
#include <gtest/gtest.h>
#include <cstdio>
#include <random>
#include <set>
#include <sim/image/decoder.hpp>
#include <sstream>

extern "C" const std::uint8_t instruction_code[];
struct AssembledInstruction {
    std::uint32_t offset, length;
};
extern "C" const AssembledInstruction instruction_table[], instruction_table_end[];

namespace {

using sim::Decoder;
using sim::Flow;
using sim::Instruction;
using sim::Special;

constexpr std::uint64_t at = 0x1000;

constexpr const char* register_names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

std::vector<std::uint8_t> parse(const std::string& hex) {
    std::vector<std::uint8_t> bytes;
    std::istringstream stream(hex);
    for (unsigned value; stream >> std::hex >> value;) bytes.push_back(static_cast<std::uint8_t>(value));
    return bytes;
}

// "load8 gs:[rax+rcx*8+0x10]; store8 [rsp-0x8]"
std::string memory(const Instruction& instruction) {
    std::ostringstream out;
    for (unsigned i = 0; i < instruction.operand_count; ++i) {
        const auto& m = instruction.memory[i];
        static constexpr const char* kinds[] = {"load", "store", "rmw"};
        static constexpr const char* segments[] = {"", "fs:", "gs:", "es:", "cs:", "ss:", "ds:"};
        out << (i != 0 ? "; " : "") << kinds[static_cast<unsigned>(m.kind)] << m.size << ' '
            << segments[static_cast<unsigned>(m.segment)]
            << (m.address_bits == 32   ? "a32["
                : m.address_bits == 16 ? "a16["
                                       : "[");
        if (m.base != sim::no_register) out << register_names[m.base];
        if (m.index != sim::no_register) out << '+' << register_names[m.index] << '*' << unsigned{m.scale};
        const bool alone = m.base == sim::no_register && m.index == sim::no_register;
        if (m.displacement < 0) out << "-0x" << std::hex << -static_cast<std::uint64_t>(m.displacement) << std::dec;
        if (m.displacement > 0 || (alone && m.displacement == 0))
            out << (alone ? "0x" : "+0x") << std::hex << m.displacement << std::dec;
        out << ']';
    }
    return out.str();
}

std::string names(unsigned mask) {
    std::string out;
    for (unsigned i = 0; i < 16; ++i)
        if ((mask >> i & 1) != 0) out += (out.empty() ? "" : " ") + std::string(register_names[i]);
    return out;
}

class DecoderTest : public testing::Test {
  protected:
    std::optional<Instruction> decode(const std::string& hex) {
        auto bytes = parse(hex);
        length_ = bytes.size();
        bytes.resize(std::max<std::size_t>(bytes.size(), 15));  // what follows must not matter
        return decoder_->decode(bytes, at);
    }
    Instruction whole(const std::string& hex) {  // one that takes all the bytes
        const auto instruction = decode(hex);
        EXPECT_TRUE(instruction) << hex;
        if (!instruction) return {};
        EXPECT_EQ(instruction->length, length_) << hex;
        EXPECT_EQ(instruction->address, at);
        return *instruction;
    }
    std::string text(const std::string& hex, sim::Syntax syntax = sim::Syntax::intel) {
        return decoder_->text(parse(hex), at, syntax);
    }

    std::unique_ptr<Decoder> decoder_ = Decoder::make();
    std::size_t length_ = 0;
};

struct Case {
    const char* hex;
    const char* expected;
};

TEST_F(DecoderTest, MemoryOperandsAddressesSizesAndKinds) {
    static constexpr Case cases[] = {
        {"48 89 d8", ""},                                                  // mov rax, rbx
        {"48 8b 07", "load8 [rdi]"},                                       // mov rax, [rdi]
        {"48 89 44 24 08", "store8 [rsp+0x8]"},                            // mov [rsp+8], rax
        {"4b 8b 84 fd 00 10 00 00", "load8 [r13+r15*8+0x1000]"},           // mov rax, [r13+r15*8+0x1000]
        {"48 8b 04 cd f0 ff ff ff", "load8 [+rcx*8-0x10]"},                // mov rax, [rcx*8-16]
        {"48 8b 05 10 00 00 00", "load8 [0x1017]"},                        // mov rax, [rip+16]
        {"48 c7 05 10 00 00 00 01 00 00 00", "store8 [0x101b]"},           // mov qword [rip+16], 1
        {"48 8b 05 00 e0 ff ff", "load8 [-0xff9]"},                        // mov rax, [rip-8192]
        {"67 48 8b 05 00 e0 ff ff", "load8 a32[0xfffff008]"},              // mov rax, [eip-8192]
        {"67 8b 04 8f", "load4 a32[rdi+rcx*4]"},                           // mov eax, [edi+ecx*4]
        {"65 48 8b 04 25 28 00 00 00", "load8 gs:[0x28]"},                 // mov rax, gs:[0x28]
        {"64 44 89 0f", "store4 fs:[rdi]"},                                // mov fs:[rdi], r9d
        {"3e 48 8b 07", "load8 [rdi]"},                                    // ds: means nothing
        {"65 3e 48 8b 07", "load8 gs:[rdi]"},                              // nor does it undo gs:
        {"a0 88 77 66 55 44 33 22 11", "load1 [0x1122334455667788]"},      // movabs al, [...]
        {"48 a3 88 77 66 55 44 33 22 11", "store8 [0x1122334455667788]"},  // movabs [...], rax
        {"0f b6 07", "load1 [rdi]"},                                       // movzx eax, byte
        {"48 0f bf 07", "load2 [rdi]"},                                    // movsx rax, word
        {"48 63 07", "load4 [rdi]"},                                       // movsxd rax, dword
        {"48 0f c3 07", "store8 [rdi]"},                                   // movnti
        {"48 01 07", "rmw8 [rdi]"},                                        // add [rdi], rax
        {"48 03 07", "load8 [rdi]"},                                       // add rax, [rdi]
        {"83 3f 00", "load4 [rdi]"},                                       // cmp dword [rdi], 0
        {"f6 07 01", "load1 [rdi]"},                                       // test byte [rdi], 1
        {"66 ff 07", "rmw2 [rdi]"},                                        // inc word
        {"0f 95 07", "store1 [rdi]"},                                      // setne
        {"48 d3 27", "rmw8 [rdi]"},                                        // shl qword [rdi], cl
        {"48 0f ba 27 03", "load8 [rdi]"},                                 // bt
        {"48 0f ab 07", "rmw8 [rdi]"},                                     // bts [rdi], rax: base only
        {"87 07", "rmw4 [rdi]"},                                           // xchg
        {"f0 0f c1 07", "rmw4 [rdi]"},                                     // lock xadd
        {"f0 48 0f b1 0f", "rmw8 [rdi]"},                                  // lock cmpxchg
        {"f0 0f c7 0f", "rmw8 [rdi]"},                                     // lock cmpxchg8b
        {"f0 48 0f c7 0f", "rmw16 [rdi]"},                                 // lock cmpxchg16b
        {"48 f7 37", "load8 [rdi]"},                                       // div qword
        {"d7", "load1 [rbx]"},                                             // xlat
        {"0f ae 3f", "load1 [rdi]"},                                       // clflush
        // Addresses that are not used, or not as data.
        {"48 8d 44 24 08", ""},  // lea
        {"0f 1f 44 00 00", ""},  // nop
        {"0f 18 0f", ""},        // prefetcht0
        {"0f 0d 0f", ""},        // prefetchw
        {"0f 01 3f", ""},        // invlpg
        {"0f b9 07", ""},        // ud1
        // Stack.
        {"55", "store8 [rsp-0x8]"},                            // push rbp
        {"66 50", "store2 [rsp-0x2]"},                         // push ax
        {"6a 01", "store8 [rsp-0x8]"},                         // push 1
        {"0f a0", "store8 [rsp-0x8]"},                         // push fs
        {"ff 37", "load8 [rdi]; store8 [rsp-0x8]"},            // push qword [rdi]
        {"ff 74 24 08", "load8 [rsp+0x8]; store8 [rsp-0x8]"},  // push qword [rsp+8]
        {"5d", "load8 [rsp]"},                                 // pop rbp
        {"8f 07", "load8 [rsp]; store8 [rdi]"},                // pop qword [rdi]
        {"8f 44 24 08", "load8 [rsp]; store8 [rsp+0x10]"},     // pop qword [rsp+8]: after rsp has moved
        {"9c", "store8 [rsp-0x8]"},                            // pushfq
        {"9d", "load8 [rsp]"},                                 // popfq
        {"e8 00 00 00 00", "store8 [rsp-0x8]"},                // call
        {"ff d0", "store8 [rsp-0x8]"},                         // call rax
        {"ff 17", "load8 [rdi]; store8 [rsp-0x8]"},            // call [rdi]
        {"65 ff 24 25 08 00 00 00", "load8 gs:[0x8]"},         // jmp gs:[8]
        {"48 ff 1f", "load10 [rdi]; store16 [rsp-0x10]"},      // call far
        {"ff 1f", "load6 [rdi]; store8 [rsp-0x8]"},            // call far, 32-bit slots
        {"ff 2f", "load6 [rdi]"},                              // jmp far
        {"c3", "load8 [rsp]"},                                 // ret
        {"c2 08 00", "load8 [rsp]"},                           // ret 8
        {"48 cb", "load16 [rsp]"},                             // retfq
        {"c9", "load8 [rbp]"},                                 // leave
        {"c8 10 00 00", "store8 [rsp-0x8]"},                   // enter 16, 0
        {"48 cf", "load40 [rsp]"},                             // iretq
        {"cf", "load20 [rsp]"},                                // iretd
        // Strings.
        {"a4", "load1 [rsi]; store1 [rdi]"},           // movsb
        {"f3 48 a5", "load8 [rsi]; store8 [rdi]"},     // rep movsq
        {"65 a5", "load4 gs:[rsi]; store4 [rdi]"},     // movsd gs:
        {"67 a4", "load1 a32[rsi]; store1 a32[rdi]"},  // movsb [edi], [esi]
        {"f3 aa", "store1 [rdi]"},                     // rep stosb
        {"66 ab", "store2 [rdi]"},                     // stosw
        {"48 ad", "load8 [rsi]"},                      // lodsq
        {"f2 ae", "load1 [rdi]"},                      // repne scasb
        {"f3 a6", "load1 [rsi]; load1 [rdi]"},         // repe cmpsb
        {"f3 6c", "store1 [rdi]"},                     // rep insb
        {"6f", "load4 [rsi]"},                         // outsd
        // System and state.
        {"0f 01 17", "load10 [rdi]"},        // lgdt
        {"0f 01 1f", "load10 [rdi]"},        // lidt
        {"0f 01 07", "store10 [rdi]"},       // sgdt
        {"0f 01 0f", "store10 [rdi]"},       // sidt
        {"0f 00 1f", "load2 [rdi]"},         // ltr
        {"0f 00 0f", "store2 [rdi]"},        // str
        {"66 0f 38 82 07", "load16 [rdi]"},  // invpcid
        {"0f ae 07", "store512 [rdi]"},      // fxsave
        {"48 0f ae 0f", "load512 [rdi]"},    // fxrstor64
        {"48 0f ae 27", "store576 [rdi]"},   // xsave64
        {"0f ae 2f", "load576 [rdi]"},       // xrstor
        {"0f ae 17", "load4 [rdi]"},         // ldmxcsr
        {"0f ae 1f", "store4 [rdi]"},        // stmxcsr
        {"d9 3f", "store2 [rdi]"},           // fnstcw
        {"d9 37", "store28 [rdi]"},          // fnstenv
        {"dd 37", "store108 [rdi]"},         // fnsave
        {"db 2f", "load10 [rdi]"},           // fld tbyte
        {"dd 1f", "store8 [rdi]"},           // fstp qword
        {"df 07", "load2 [rdi]"},            // fild word
        {"0f 28 07", "load16 [rdi]"},        // movaps xmm0, [rdi]
        {"f3 0f 7f 07", "store16 [rdi]"},    // movdqu
        {"f3 0f 10 07", "load4 [rdi]"},      // movss
        {"f2 0f 58 07", "load8 [rdi]"},      // addsd
        {"66 0f 7e 07", "store4 [rdi]"},     // movd [rdi], xmm0
        {"66 0f d6 07", "store8 [rdi]"},     // movq [rdi], xmm0
        {"66 0f f7 c1", "store16 [rdi]"},    // maskmovdqu
    };
    for (const auto& c : cases) EXPECT_EQ(memory(whole(c.hex)), c.expected) << c.hex;
}

TEST_F(DecoderTest, ControlFlow) {
    struct FlowCase {
        const char* hex;
        Flow expected;
    };
    static constexpr FlowCase cases[] = {
        {"90", Flow::next},
        {"eb fe", Flow::branch},
        {"e9 00 00 00 00", Flow::branch},
        {"74 fe", Flow::conditional},
        {"0f 85 00 00 00 00", Flow::conditional},
        {"e3 fe", Flow::conditional},
        {"67 e3 fe", Flow::conditional},
        {"e2 fe", Flow::conditional},
        {"e8 00 00 00 00", Flow::call},
        {"ff d0", Flow::indirect_call},
        {"ff 17", Flow::indirect_call},
        {"ff e0", Flow::indirect_branch},
        {"3e ff e0", Flow::indirect_branch},
        {"ff 27", Flow::indirect_branch},
        {"48 ff 2f", Flow::indirect_branch},
        {"c3", Flow::ret},
        {"f3 c3", Flow::ret},
        {"c2 08 00", Flow::ret},
        {"48 cb", Flow::ret},
        {"48 cf", Flow::trap},
        {"0f 05", Flow::trap},
        {"48 0f 07", Flow::trap},
        {"cc", Flow::trap},
        {"cd 80", Flow::trap},
        {"0f 0b", Flow::trap},
        {"f4", Flow::stop},
        {"f2 ff e0", Flow::indirect_branch},
        {"f2 e8 00 00 00 00", Flow::call},
        {"f2 75 fe", Flow::conditional},
    };
    for (const auto& c : cases) EXPECT_EQ(whole(c.hex).flow, c.expected) << c.hex;
}

TEST_F(DecoderTest, SpecialInstructions) {
    struct SpecialCase {
        const char* hex;
        Special expected;
    };
    static constexpr SpecialCase cases[] = {
        {"48 01 c0", Special::plain},
        {"90", Special::nop},
        {"66 90", Special::nop},
        {"0f 1f 00", Special::nop},
        {"f3 0f 1e fa", Special::nop},
        {"f4", Special::hlt},
        {"f3 90", Special::pause},
        {"0f 31", Special::rdtsc},
        {"0f 01 f9", Special::rdtscp},
        {"0f a2", Special::cpuid},
        {"ec", Special::in},
        {"e5 60", Special::in},
        {"6c", Special::in},
        {"ee", Special::out},
        {"e7 f4", Special::out},
        {"f3 6f", Special::out},
        {"0f 32", Special::rdmsr},
        {"0f 30", Special::wrmsr},
        {"0f 22 d8", Special::mov_to_cr},
        {"44 0f 22 c7", Special::mov_to_cr},
        {"0f 06", Special::mov_to_cr},
        {"0f 01 f0", Special::mov_to_cr},
        {"0f 20 d0", Special::mov_from_cr},
        {"0f 23 f8", Special::mov_dr},
        {"0f 21 f0", Special::mov_dr},
        {"0f 01 3f", Special::invlpg},
        {"0f 01 17", Special::lgdt},
        {"0f 01 1f", Special::lidt},
        {"0f 00 d8", Special::ltr},
        {"0f 00 d0", Special::lldt},
        {"0f 01 f8", Special::swapgs},
        {"0f 05", Special::syscall},
        {"48 0f 07", Special::sysret},
        {"48 cf", Special::iret},
        {"cd 80", Special::int_n},
        {"cc", Special::int3},
        {"0f 0b", Special::ud},
        {"0f b9 c0", Special::ud},
        {"fa", Special::cli},
        {"fb", Special::sti},
        {"8e d0", Special::mov_ss},
        {"8e d8", Special::plain},
        {"8c d0", Special::plain},
        {"9c", Special::pushf},
        {"9d", Special::popf},
        {"0f ae e8", Special::lfence},
        {"0f ae f0", Special::mfence},
        {"0f ae f8", Special::sfence},
        {"48 0f c7 f0", Special::rdrand},
        {"0f 01 d0", Special::xgetbv},
        {"0f 01 d1", Special::xsetbv},
        {"0f ae 07", Special::fxsave},
        {"0f ae 0f", Special::fxrstor},
        {"0f ae 27", Special::xsave},
        {"0f c7 27", Special::xsave},
        {"0f ae 2f", Special::xrstor},
        {"0f 09", Special::wbinvd},
        {"0f ae 3f", Special::clflush},
        {"66 0f ae 3f", Special::clflush},
        {"48 cb", Special::far_transfer},
        {"48 ff 2f", Special::far_transfer},
        {"f3 48 0f ae c0", Special::fsgsbase},
        {"f3 0f ae d8", Special::fsgsbase},
        {"0f 01 cb", Special::stac},
        {"0f 01 ca", Special::clac},
        {"a4", Special::string},
        {"f3 48 ab", Special::string},
        {"c5 f8 77", Special::unsupported},
        {"c5 fe 6f 07", Special::unsupported},
        {"62 f1 fe 48 6f 07", Special::unsupported},
        {"c4 e2 f0 f2 07", Special::unsupported},
    };
    for (const auto& c : cases) EXPECT_EQ(whole(c.hex).special, c.expected) << c.hex;
}

TEST_F(DecoderTest, RegistersAndFlags) {
    struct RegisterCase {
        const char* hex;
        const char* reads;
        const char* writes;
        bool reads_flags, writes_flags;
    };
    static constexpr RegisterCase cases[] = {
        {"48 89 d8", "rbx", "rax", false, false},                           // mov rax, rbx
        {"88 d8", "rax rbx", "rax", false, false},                          // mov al, bl: the rest of rax stays
        {"88 fc", "rax rbx", "rax", false, false},                          // mov ah, bh
        {"40 88 fc", "rsp rdi", "rsp", false, false},                       // mov spl, dil
        {"4b 8b 04 fd 00 00 00 00", "r15", "rax", false, false},            // mov rax, [r15*8]
        {"48 01 07", "rax rdi", "", false, true},                           // add [rdi], rax
        {"48 11 d8", "rax rbx", "rax", true, true},                         // adc rax, rbx
        {"48 0f 45 c3", "rax rbx", "rax", true, false},                     // cmovne rax, rbx
        {"48 8d 04 0b", "rcx rbx", "rax", false, false},                    // lea rax, [rbx+rcx]
        {"55", "rsp rbp", "rsp", false, false},                             // push rbp
        {"41 5c", "rsp", "rsp r12", false, false},                          // pop r12
        {"c9", "rsp rbp", "rsp rbp", false, false},                         // leave
        {"48 f7 f1", "rax rcx rdx", "rax rdx", false, true},                // div rcx
        {"f3 48 ab", "rax rcx rdi", "rcx rdi", false, false},               // rep stosq
        {"a4", "rsi rdi", "rsi rdi", false, false},                         // movsb
        {"f0 48 0f c7 0f", "rax rcx rdx rbx rdi", "rax rdx", false, true},  // lock cmpxchg16b
        {"0f a2", "rax rcx", "rax rcx rdx rbx", false, false},              // cpuid
        {"0f 31", "", "rax rdx", false, false},                             // rdtsc
        {"0f 30", "rax rcx rdx", "", false, false},                         // wrmsr
        {"0f 05", "", "rcx r11", true, true},                               // syscall
        {"48 0f 07", "rcx r11", "", false, true},                           // sysretq
        {"0f 22 df", "rdi", "", false, false},                              // mov cr3, rdi
        {"ee", "rax rdx", "", false, false},                                // out dx, al
        {"74 fe", "", "", true, false},                                     // je
        {"e2 fe", "rcx", "rcx", false, false},                              // loop
        {"9c", "rsp", "rsp", true, false},                                  // pushfq
    };
    for (const auto& c : cases) {
        const auto instruction = whole(c.hex);
        EXPECT_EQ(names(instruction.reads), c.reads) << c.hex;
        EXPECT_EQ(names(instruction.writes), c.writes) << c.hex;
        EXPECT_EQ(instruction.reads_flags, c.reads_flags) << c.hex;
        EXPECT_EQ(instruction.writes_flags, c.writes_flags) << c.hex;
    }
}

TEST_F(DecoderTest, PrefixesOfAnyOrderBelongToTheirInstruction) {
    for (const char* hex : {"f3 66 a5", "66 f3 a5", "2e 66 f3 a5", "66 2e f3 3e a5", "f3 f3 66 66 a5"}) {
        const auto instruction = whole(hex);
        EXPECT_TRUE(instruction.rep) << hex;
        EXPECT_EQ(memory(instruction), "load2 [rsi]; store2 [rdi]") << hex;
    }
    for (const char* hex : {"f0 65 48 ff 07", "65 f0 48 ff 07", "f2 f0 65 48 ff 07", "f3 65 f0 3e 48 ff 07"}) {
        const auto instruction = whole(hex);
        EXPECT_TRUE(instruction.locked) << hex;
        EXPECT_FALSE(instruction.rep) << hex;
        EXPECT_EQ(memory(instruction), "rmw8 gs:[rdi]") << hex;
    }
    EXPECT_TRUE(whole("87 07").locked) << "xchg with memory locks without a prefix";
    EXPECT_FALSE(whole("87 c7").locked);
    EXPECT_EQ(memory(whole("48 66 ff 07")), "rmw2 [rdi]") << "REX counts only directly before the opcode";
    EXPECT_EQ(whole("f3 41 90").special, Special::plain) << "with REX.B it is xchg, not pause";
    EXPECT_EQ(whole("66 66 66 66 66 66 66 66 66 66 66 66 66 66 90").length, 15);
    EXPECT_FALSE(decode("66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90")) << "16 bytes";
}

TEST_F(DecoderTest, WhatIsNoInstructionIsEmpty) {
    for (const char* hex : {"06", "d5 00", "ff ff", "0f 04", "f0 90", "f0 48 89 07", "f0 48 01 c0", "f0 83 3f 00",
                            "66 c5 f8 77", "48 c5 f8 77", "c4 ff ff ff ff", "0f a6 ff"})
        EXPECT_FALSE(decode(hex)) << hex << ": " << text(hex);
    for (const char* hex : {"", "48", "f3", "0f", "48 8b", "48 8b 04", "48 8b 05 00 00", "e8 00 00", "f0"})
        EXPECT_FALSE(decoder_->decode(parse(hex), at)) << "cut short: " << hex;
    EXPECT_EQ(text("06"), "(bad)");
}

TEST_F(DecoderTest, Text) {
    EXPECT_EQ(text("48 89 44 24 08"), "mov qword ptr [rsp + 0x8], rax");
    EXPECT_EQ(text("48 89 44 24 08", sim::Syntax::att), "movq %rax, 0x8(%rsp)");
    EXPECT_EQ(text("eb fe"), "jmp 0x1000");
    EXPECT_EQ(text("f2 e9 00 00 00 00"), "jmp 0x1006");
    EXPECT_EQ(text("f0 0f b1 0f"), "lock cmpxchg dword ptr [rdi], ecx");
    EXPECT_EQ(text("f3 aa").substr(0, 9), "rep stosb");
    EXPECT_EQ(text("f3 a6").substr(0, 10), "repe cmpsb");
    EXPECT_EQ(text("f2 ae").substr(0, 11), "repne scasb");
    EXPECT_EQ(decoder_->opcode_name(whole("48 01 d8").opcode), "ADD64rr");
    EXPECT_EQ(decoder_->opcode_name(0xffff), "");
    EXPECT_EQ(decoder_->version().substr(0, 3), "22.");
}

TEST_F(DecoderTest, LengthsAreTheAssemblers) {
    const std::span table(instruction_table, instruction_table_end);
    ASSERT_GT(table.size(), 200u);
    for (const auto& expected : table) {
        const std::span bytes(instruction_code + expected.offset, 15);
        const auto instruction = decoder_->decode(bytes, expected.offset);
        ASSERT_TRUE(instruction) << decoder_->text(bytes, expected.offset) << " at " << expected.offset;
        EXPECT_EQ(instruction->length, expected.length) << decoder_->text(bytes, expected.offset);
    }
}

bool same(const Instruction& a, const Instruction& b) {
    return a.length == b.length && a.flow == b.flow && a.special == b.special && a.opcode == b.opcode &&
           a.reads == b.reads && a.writes == b.writes && memory(a) == memory(b) && a.locked == b.locked;
}

TEST_F(DecoderTest, RandomBytesDecodeTheSameEveryTime) {
    std::mt19937_64 random(1);
    const auto other = Decoder::make();
    unsigned decoded = 0;
    for (unsigned i = 0; i < 200'000; ++i) {
        std::array<std::uint8_t, 16> bytes;
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        static constexpr std::uint8_t starts[] = {0x0f, 0xf0, 0xf2, 0xf3, 0x66, 0x67, 0x48, 0x65};
        if (i % 2 == 0) bytes[i / 2 % 3] = starts[random() % std::size(starts)];
        const auto a = decoder_->decode(bytes, i);
        if (!a) {
            ASSERT_EQ(decoder_->text(bytes, i), "(bad)") << i;
            continue;
        }
        ++decoded;
        ASSERT_GE(a->length, 1);
        ASSERT_LE(a->length, 15);
        ASSERT_LE(a->operand_count, 2);
        for (unsigned k = 0; k < a->operand_count; ++k) ASSERT_GT(a->memory[k].size, 0) << decoder_->text(bytes, i);
        // Only its own bytes matter, and no state is kept.
        const auto b = other->decode(std::span(bytes).first(a->length), i);
        ASSERT_TRUE(b) << decoder_->text(bytes, i);
        ASSERT_TRUE(same(*a, *b)) << decoder_->text(bytes, i);
    }
    EXPECT_GT(decoded, 100'000u);
}

}  // namespace
