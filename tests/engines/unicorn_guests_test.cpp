// SPDX-License-Identifier: GPL-2.0-or-later
// What guests see: paging, ring 3, exceptions, changing code, string instructions, features.
#include "unicorn_run.hpp"

namespace sim::test {
namespace {

struct Case {
    const char* guest;
    const char* command_line;
    const char* console;
};

class Guests : public testing::TestWithParam<Case> {};

// With events and without, the same.
TEST_P(Guests, PrintsWhatTheManualsSay) {
    const Case& it = GetParam();
    CheckingSink sink;
    const Outcome with = run_guest(it.guest, {.command_line = it.command_line, .events = &sink});
    EXPECT_EQ(with.result.stop, StopReason::power_off) << with.result.detail;
    EXPECT_EQ(with.console, it.console);
    const Outcome without = run_guest(it.guest, {.command_line = it.command_line});
    EXPECT_EQ(without.console, it.console);
    EXPECT_EQ(without.result.instructions, with.result.instructions);
    EXPECT_EQ(without.result.guest_ticks, with.result.guest_ticks);
    CheckingSink again;
    run_guest(it.guest, {.command_line = it.command_line, .events = &again});
    EXPECT_EQ(again.hash, sink.hash) << "two runs differ";
}

INSTANTIATE_TEST_SUITE_P(
    All, Guests,
    testing::Values(
        Case{"paging", "",
             "ffffffff alias 1234 remapped 77 across 55667788.11223344 faults e:0@602000 e:2@602005 e:3@602000 "
             "e:11@603000 e:0@ffff800000000000\n"},
        Case{"ring3", "x",
             "0/600/02b d:0 d:0 d:0 d:0 d:0 d:0 d:0 d:0 6:0 d:1a d:102 e:7@100000 e:4@600000 e:15@100000 0:0 6:0 6:0 "
             "d:0\n"},
        Case{"ring3", "e", " 6:02b\n"}, Case{"code", "m", "5679a\n"}, Case{"code", "s", "1c  e:2@60100078\n"},
        Case{"code", "x", "1212\n"},
        Case{"features", "",
             "100080/0 smep e:11@400000 smap e:1@400000 ts 7:0 7:0 reserved d:0 d:0 d:0 d:0 d:0 d:0 d:0 step 1:00 cpl3 "
             "d:0 d:0 d:0 d:0 d:0 d:0 d:0 6:0 "
             "6:0\n"},
        Case{"clock", "o", "0\n"}, Case{"clock", "p", "5\n"}, Case{"clock", "t", "01\n"}, Case{"clock", "s", "1\n"}),
    [](const auto& it) { return std::string(it.param.guest) + "_" + it.param.command_line; });

TEST(UnicornRandom, ComesFromTheSeedAndIsAnInput) {
    CheckingSink first, second, other;
    const Outcome a = run_guest("code", {.command_line = "r", .seed = 1, .events = &first});
    const Outcome b = run_guest("code", {.command_line = "r", .seed = 1, .events = &second});
    const Outcome c = run_guest("code", {.command_line = "r", .seed = 2, .events = &other});
    EXPECT_EQ(a.console, b.console);
    EXPECT_NE(a.console, c.console);
    EXPECT_EQ(first.hash, second.hash);
    std::vector<std::uint64_t> numbers;
    for (const Input& input : first.inputs)
        if (input.kind == InputKind::random) numbers.push_back(input.value);
    ASSERT_EQ(numbers.size(), 3u);
    EXPECT_GT(numbers[0], 0xffff'ffffu);
    EXPECT_LE(numbers[1], 0xffff'ffffu);
    EXPECT_LE(numbers[2], 0xffffu);
}

TEST(UnicornEvents, AStringInstructionRetiresOnceWithAllItsAccesses) {
    CheckingSink sink;
    run_guest("code", {.command_line = "s", .events = &sink});
    std::uint64_t window_bytes = 0, faulted = 0;
    for (const Access& access : sink.accesses)
        if (access.virtual_address >= 0x600000 && access.virtual_address < 0x602000 && access.kind == AccessKind::store)
            window_bytes += access.size;
    for (const RecordedTransfer& it : sink.transfers) faulted += it.transfer.vector == 14;
    EXPECT_EQ(faulted, 1u);
    EXPECT_EQ(window_bytes, 100u) << "each byte once, though a page fault came in between";
}

TEST(UnicornEvents, ChangedCodeIsAnotherVersion) {
    CheckingSink sink;
    run_guest("code", {.command_line = "m", .events = &sink});
    std::uint32_t versions = 0;
    for (const CodeBlock* code : sink.codes) versions = std::max(versions, code->version);
    EXPECT_GE(versions, 3u);
}

TEST(UnicornEvents, ControlRegistersAndInvalidationsAreTold) {
    CheckingSink sink;
    run_guest("paging", {.events = &sink});
    std::set<ControlKind> kinds;
    bool page = false;
    for (const Control& control : sink.controls) {
        kinds.insert(control.kind);
        page |= control.kind == ControlKind::invalidate_page && control.which == 0x601000;
    }
    EXPECT_TRUE(page);
    for (const ControlKind kind : {ControlKind::cr0, ControlKind::cr3, ControlKind::cr4, ControlKind::efer})
        EXPECT_TRUE(kinds.contains(kind)) << int(kind);
}

}  // namespace
}  // namespace sim::test
