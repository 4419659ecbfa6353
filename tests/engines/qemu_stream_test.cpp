// SPDX-License-Identifier: GPL-2.0-or-later
// The same guest in QEMU and in Unicorn, both entered by PVH: the two streams tell the same instructions, accesses and
// transfers, although one is told by the engine itself and the other put together from what a plugin sees.
#include <signal.h>

#include <fstream>
#include <sim/qemu/engine.hpp>
#include <thread>

#include <sim/board/text.hpp>

#include "unicorn_run.hpp"

namespace sim::test {
namespace {

// What happened, without how it was cut into blocks.
class FlatSink final : public CheckingSink {
  public:
    void on_block(const Block& block) override {
        CheckingSink::on_block(block);
        for (std::uint32_t i = block.first; i < block.first + block.count; ++i)
            addresses.push_back(block.code->instructions[i].address);
        for (const Access& access : block.accesses) {
            if (access.virtual_address < 0x100000) continue;  // what the loader tells is elsewhere
            touched.push_back(text("%llx: %d %u bytes at %llx = %llx",
                                   (unsigned long long)block.code->instructions[access.instruction].address,
                                   int(access.kind), unsigned(access.size), (unsigned long long)access.virtual_address,
                                   (unsigned long long)access.physical_address));
        }
    }
    std::vector<std::uint64_t> addresses;
    std::vector<std::string> touched;
};

struct Told {
    FlatSink sink;
    RunResult result;
    std::string console;
};

Engine& qemu() {
    static const std::unique_ptr<Engine> engine = make_qemu_engine(EXO_QEMU_PLUGIN);
    return *engine;
}

std::unique_ptr<Told> run_in(Engine& engine, const std::string& guest, const std::string& command_line,
                             RunConfig config = {}) {
    auto told = std::make_unique<Told>();
    const auto image = Image::load(std::string(EXO_GUESTS) + "/guest_" + guest);
    config.image = image.get();
    config.entry = BootProtocol::pvh;
    config.command_line = command_line;
    config.ram_bytes = 64 << 20;
    if (!config.instruction_limit) config.instruction_limit = 1'000'000;
    config.events = &told->sink;
    config.console = [&](std::string_view text) { told->console += text; };
    told->result = engine.run(config);
    EXPECT_EQ(told->sink.retired, told->result.instructions);
    return told;
}

struct Case {
    const char *guest, *command_line;
};
void PrintTo(const Case& it, std::ostream* out) { *out << it.guest << ' ' << it.command_line; }

template <typename T>
void expect_same(const std::vector<T>& told, const std::vector<T>& expected, const char* what) {
    const auto [a, b] = std::mismatch(told.begin(), told.end(), expected.begin(), expected.end());
    if (a == told.end() && b == expected.end()) return;
    const auto show = [](auto at, auto end) { return at == end ? "(the end)" : testing::PrintToString(*at); };
    ADD_FAILURE() << what << " differ at number " << a - told.begin() << ": QEMU " << show(a, told.end())
                  << ", Unicorn " << show(b, expected.end());
}

class SameStream : public testing::TestWithParam<Case> {};

TEST_P(SameStream, AsUnicorn) {
    const auto unicorn = make_unicorn_engine();
    const auto expected = run_in(*unicorn, GetParam().guest, GetParam().command_line);
    const auto told = run_in(qemu(), GetParam().guest, GetParam().command_line);
    EXPECT_EQ(told->result.stop, expected->result.stop) << told->result.detail;
    EXPECT_EQ(told->result.guest_code, expected->result.guest_code);
    EXPECT_EQ(told->console, expected->console);
    EXPECT_GT(expected->sink.addresses.size(), 1000u);
    expect_same(told->sink.addresses, expected->sink.addresses, "instructions");
    expect_same(told->sink.touched, expected->sink.touched, "accesses");
    ASSERT_EQ(told->sink.transfers.size(), expected->sink.transfers.size());
    for (std::size_t i = 0; i < expected->sink.transfers.size(); ++i) {
        const Transfer &a = told->sink.transfers[i].transfer, &b = expected->sink.transfers[i].transfer;
        EXPECT_EQ(a.index, b.index) << i;
        EXPECT_EQ(a.kind, b.kind) << i;
        EXPECT_EQ(a.vector, b.vector) << i;
        EXPECT_EQ(a.has_error_code, b.has_error_code) << i;
        EXPECT_EQ(a.error_code, b.error_code) << i;
        EXPECT_EQ(a.source, b.source) << i;
        EXPECT_EQ(a.target, b.target) << i;
        EXPECT_EQ(a.fault_address, b.fault_address) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Guests, SameStream,
                         testing::Values(Case{"compute", ""}, Case{"paging", ""}, Case{"code", ""}, Case{"ends", "f"},
                                         Case{"ends", "t"}, Case{"ends", "d"}, Case{"ends", "D"}, Case{"ends", "P"}));

// QEMU goes on for a little after the port is written: what was executed last says nothing.
TEST(QemuEnds, PowerOffByAcpiWhateverFollowsIt) {
    for (const char* then : {"A", "B"}) {
        const auto told = run_in(qemu(), "ends", then, {.instruction_limit = 100'000'000});
        EXPECT_EQ(told->result.stop, StopReason::power_off) << then << ": " << told->result.detail;
    }
}

}  // namespace
}  // namespace sim::test
