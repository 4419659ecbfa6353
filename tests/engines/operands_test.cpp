// SPDX-License-Identifier: GPL-2.0-or-later
// Which registers and parts of the flags instructions read and write.
#include <gtest/gtest.h>

#include <set>
#include <sim/image/decoder.hpp>
#include <string>
#include <vector>

namespace {

using namespace sim;

struct Uses {
    std::set<std::string> reads, writes;
};

std::string name(std::uint8_t of) {
    static constexpr const char* general[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                              "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    if (of < unit::vector) return general[of];
    if (of < unit::mask) return "v" + std::to_string(of - unit::vector);
    if (of < unit::x87) return "k" + std::to_string(of - unit::mask);
    if (of < unit::carry) return "st" + std::to_string(of - unit::x87);
    return of == unit::carry ? "carry" : of == unit::flags ? "flags" : of == unit::mxcsr ? "mxcsr" : "x87";
}

Uses uses_of(const std::vector<std::uint8_t>& bytes) {
    static const auto decoder = Decoder::make();
    Uses uses;
    EXPECT_TRUE(decoder->decode(bytes, 0x1000));
    const Operands operands = decoder->operands();
    for (unsigned i = 0; i < operands.count; ++i) {
        const RegisterUse& use = operands.registers[i];
        if (use.written) uses.writes.insert(name(use.unit) + (use.merged ? "+" : ""));
        else uses.reads.insert(name(use.unit));
    }
    for (const std::uint8_t part : operands.address)
        if (part != 0xff) uses.reads.insert("[" + name(part) + "]");
    return uses;
}

struct Case {
    std::vector<std::uint8_t> bytes;
    const char* what;
    std::set<std::string> reads, writes;
};

TEST(Operands, RegistersAndFlagsByUnit) {
    for (const Case& each : std::vector<Case>{
             {{0x48, 0x01, 0xd8}, "add rax, rbx", {"rax", "rbx"}, {"rax", "carry", "flags"}},
             {{0x48, 0xff, 0xc0}, "inc rax: the carry stays", {"rax"}, {"rax", "flags"}},
             {{0x48, 0x11, 0xd8}, "adc rax, rbx", {"rax", "rbx", "carry"}, {"rax", "carry", "flags"}},
             {{0x72, 0x10}, "jb", {"carry"}, {}},
             {{0x74, 0x10}, "je", {"flags"}, {}},
             {{0x76, 0x10}, "jbe", {"carry", "flags"}, {}},
             {{0x0f, 0x92, 0xc0}, "setb al", {"carry"}, {"rax+"}},
             {{0x48, 0x0f, 0x44, 0xc3}, "cmove rax, rbx", {"rax", "rbx", "flags"}, {"rax"}},
             {{0xb0, 0x01}, "mov al, 1 keeps the rest", {}, {"rax+"}},
             {{0xb8, 1, 0, 0, 0}, "mov eax, 1 does not", {}, {"rax"}},
             {{0x48, 0x8b, 0x04, 0xd9}, "mov rax, [rcx+8*rbx]", {"[rcx]", "[rbx]"}, {"rax"}},
             {{0x48, 0x8d, 0x04, 0xd9}, "lea rax, [rcx+8*rbx]", {"[rcx]", "[rbx]"}, {"rax"}},
             {{0x0f, 0x58, 0xc1}, "addps xmm0, xmm1", {"v0", "v1", "mxcsr"}, {"v0"}},
             {{0xc5, 0xf4, 0x58, 0xc2}, "vaddps ymm0, ymm1, ymm2", {"v1", "v2", "mxcsr"}, {"v0"}},
             {{0xc4, 0xe1, 0xfb, 0x92, 0xc8}, "kmovq k1, rax", {"rax"}, {"k1"}},
             {{0xc4, 0xe2, 0x65, 0x90, 0x04, 0xa7},
              "vpgatherdd ymm0, [rdi+4*ymm4], ymm3",
              {"v0", "v3", "[rdi]", "[v4]"},
              {"v0", "v3"}},
             {{0x48, 0xf7, 0xe3}, "mul rbx", {"rax", "rbx"}, {"rax", "rdx", "carry", "flags"}},
         }) {
        const Uses uses = uses_of(each.bytes);
        EXPECT_EQ(uses.reads, each.reads) << each.what;
        EXPECT_EQ(uses.writes, each.writes) << each.what;
    }
}

}  // namespace
