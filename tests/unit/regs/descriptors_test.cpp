// SPDX-License-Identifier: MIT
// Descriptors taken apart again field by field, as the manuals' figures show them.
#include <gtest/gtest.h>

#include <regs/control.hpp>
#include <regs/descriptors.hpp>

namespace {

using namespace regs;

struct Decoded {
    std::uint32_t base, limit;
    unsigned type, privilege;
    bool not_system, present, long_mode, default_32, granular;
};
Decoded decode(std::uint64_t d) {
    return {std::uint32_t((d >> 16 & 0xff'ffff) | (d >> 56 & 0xff) << 24),
            std::uint32_t((d & 0xffff) | (d >> 32 & 0xf'0000)),
            unsigned(d >> 40 & 0xf),
            unsigned(d >> 45 & 3),
            bool(d >> 44 & 1),
            bool(d >> 47 & 1),
            bool(d >> 53 & 1),
            bool(d >> 54 & 1),
            bool(d >> 55 & 1)};
}

TEST(Descriptors, SegmentsAreFlatAndOfTheirRing) {
    for (const bool code : {true, false}) {
        for (const unsigned privilege : {0u, 3u}) {
            const Decoded d = decode(segment_descriptor({code, privilege}));
            EXPECT_EQ(d.base, 0u);
            EXPECT_EQ(d.limit, 0xf'ffffu);
            EXPECT_TRUE(d.granular && d.present && d.not_system);
            EXPECT_EQ(d.privilege, privilege);
            EXPECT_EQ(d.type, code ? 0xbu : 0x3u);  // accessed; readable code, writable data
            EXPECT_EQ(d.long_mode, code);
            EXPECT_EQ(d.default_32, !code);  // L and D together are reserved
        }
    }
}

TEST(Descriptors, TaskStateKeepsAllOfItsBase) {
    for (const std::uint64_t base : {0x0ull, 0x1234'5678ull, 0xffff'ffff'8123'4560ull, 0xffff'8880'dead'b000ull}) {
        const auto slots = task_state_descriptor(base);
        const Decoded d = decode(slots[0]);
        EXPECT_EQ(slots[1] << 32 | d.base, base);
        EXPECT_EQ(slots[1] >> 32, 0u);
        EXPECT_EQ(d.limit, 103u);
        EXPECT_EQ(d.type, 9u);
        EXPECT_TRUE(d.present);
        EXPECT_FALSE(d.not_system);
    }
}

TEST(Descriptors, GateKeepsItsFields) {
    for (const unsigned ist : {0u, 1u, 7u}) {
        for (const unsigned privilege : {0u, 3u}) {
            const std::uint64_t handler = 0xffff'ffff'8765'4321;
            const InterruptGate gate = interrupt_gate(handler, 0x08, ist, privilege);
            EXPECT_EQ((gate.low & 0xffff) | (gate.low >> 32 & 0xffff'0000) | gate.high << 32, handler);
            EXPECT_EQ(gate.low >> 16 & 0xffff, 0x08u);
            EXPECT_EQ(gate.low >> 32 & 7, ist);
            EXPECT_EQ(gate.low >> 40 & 0x1f, 0xeu);  // interrupt gate
            EXPECT_EQ(gate.low >> 45 & 3, privilege);
            EXPECT_TRUE(gate.low >> 47 & 1);
        }
    }
}

TEST(Descriptors, TaskStateOpensNoPort) {
    const TaskState tss;
    EXPECT_GE(tss.io_map_base, sizeof(TaskState));  // beyond the limit
}

TEST(Flags, SyscallClearsWhatCppMustNotSee) {
    EXPECT_EQ(rflags::cleared_by_syscall, 0x4'4700u);  // AC, NT, DF, IF, TF
}

}  // namespace
