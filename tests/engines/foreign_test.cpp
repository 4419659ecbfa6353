// SPDX-License-Identifier: GPL-2.0-or-later
// Kernels that are not ours, whole and damaged, by PVH and multiboot2; and ours by all three ways in.
#include <elf.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <sim/devices/pit.hpp>

#include "unicorn_run.hpp"

namespace sim::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes read_file(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}
std::string guest(const std::string& name) { return std::string(EXO_FOREIGN) + "/foreign_" + name; }

Outcome run(const Image& image, RunConfig config = {}) {
    static const std::unique_ptr<Engine> engine = make_unicorn_engine();
    Outcome outcome;
    config.image = &image;
    if (config.ram_bytes == RunConfig{}.ram_bytes) config.ram_bytes = 32 << 20;
    if (!config.instruction_limit) config.instruction_limit = 20'000'000;
    config.console = [&](std::string_view text) { outcome.console += text; };
    outcome.result = engine->run(config);
    return outcome;
}

constexpr const char* ticker_says =
    "ticker: started by multiboot2\ncommand line: one two\nmemory map: RAM from 1 MiB on\n50 ticks\nchannel 2 ran "
    "out\n";
constexpr const char* rings_says =
    "rings: started by PVH\n32-bit exceptions taken\nmemory map told\n#UD twice\n#PF at 0x1000123\nAPIC "
    "timer\ninterrupt to itself\ndoubles\nu3 ring 3 and back\n";

// With symbols, without, and in a 32-bit file; with events and without: the same.
TEST(Foreign, TickerCountsByTheOldTimer) {
    std::optional<std::uint64_t> instructions;
    for (const char* form : {"ticker", "ticker.stripped", "ticker.elf32"}) {
        const auto image = Image::load(guest(form));
        CheckingSink sink;
        const Outcome with = run(*image, {.command_line = "one two", .events = &sink});
        EXPECT_EQ(with.result.stop, StopReason::power_off) << form << ": " << with.result.detail;
        EXPECT_EQ(with.console, ticker_says) << form;
        const Outcome without = run(*image, {.command_line = "one two"});
        EXPECT_EQ(without.console, ticker_says) << form;
        EXPECT_EQ(without.result.instructions, with.result.instructions);
        EXPECT_EQ(without.result.guest_ticks, with.result.guest_ticks);
        EXPECT_EQ(sink.retired, with.result.instructions);
        // 32-bit section headers in the information are shorter, nothing else differs.
        EXPECT_TRUE(image->marks().empty());
        if (!instructions) instructions = with.result.instructions;
    }
}

TEST(Foreign, TheTimerTicksAtItsFrequency) {
    const auto image = Image::load(guest("ticker"));
    CheckingSink sink;
    run(*image, {.events = &sink});
    std::vector<std::uint64_t> at;  // guest clock of each tick
    std::uint64_t slept = 0;
    std::size_t halt = 0;
    for (const RecordedTransfer& it : sink.transfers) {
        if (it.transfer.vector != 0x20) continue;
        for (; halt < sink.halts.size() && sink.halts[halt].index <= it.transfer.index; ++halt)
            slept += sink.halts[halt].skipped_ticks;
        at.push_back(it.transfer.index + slept);
    }
    ASSERT_EQ(at.size(), 50u);
    for (std::size_t i = 2; i < at.size(); ++i) {  // the first edge is that of the output as its mode is set
        const std::uint64_t exact = 1193 * tsc_hz / pit_hz;
        EXPECT_GE(at[i] - at[i - 1], exact - 1) << i;
        EXPECT_LE(at[i] - at[i - 1], exact + 1) << i;
    }
}

TEST(Foreign, RingsHasExceptionsInterruptsAndRing3) {
    for (const char* form : {"rings", "rings.stripped", "rings.elf32"}) {
        const auto image = Image::load(guest(form));
        CheckingSink sink, again;
        const Outcome with = run(*image, {.events = &sink});
        EXPECT_EQ(with.result.stop, StopReason::power_off) << form << ": " << with.result.detail;
        EXPECT_EQ(with.console, rings_says) << form;
        run(*image, {.events = &again});
        EXPECT_EQ(again.hash, sink.hash);
    }
}

// Interrupts at other instructions change nothing that is said.
TEST(Foreign, JitterDelaysButLosesNothing) {
    const auto image = Image::load(guest("rings"));
    for (std::uint64_t seed = 0; seed < 20; ++seed)
        EXPECT_EQ(run(*image, {.seed = seed, .jitter = true}).console, rings_says) << seed;
}

TEST(Foreign, AResetAndATripleFaultEndTheRunByName) {
    const auto image = Image::load(guest("rings"));
    const Outcome reset = run(*image, {.command_line = "reset"});
    EXPECT_EQ(reset.result.stop, StopReason::reset);
    EXPECT_NE(reset.result.detail.find("port 0x64"), std::string::npos) << reset.result.detail;
    EXPECT_EQ(reset.console, rings_says);
    const Outcome triple = run(*image, {.command_line = "triple"});
    EXPECT_EQ(triple.result.stop, StopReason::triple_fault);
    std::vector<unsigned> vectors;
    for (const FaultStep& step : triple.result.faults) vectors.push_back(step.vector);
    EXPECT_EQ(vectors, (std::vector<unsigned>{6, 6, 6, 14, 6, 13, 8, 13}))
        << "32-bit #UD, two more, #PF; then the chain";
}

TEST(Foreign, CodeOfEachWidthIsToldAsSuch) {
    const auto image = Image::load(guest("rings"));
    CheckingSink sink;
    run(*image, {.events = &sink});
    std::set<unsigned> widths;
    for (const CodeBlock* code : sink.codes)
        for (const Instruction& it : code->instructions) widths.insert(it.code_bits);
    EXPECT_EQ(widths, (std::set<unsigned>{32, 64}));
    EXPECT_EQ(image->locate(*image->pvh_entry()).function, "pvh_start");
}

TEST(Foreign, OurKernelComesThroughAllThreeDoors) {
    const auto image = Image::load(EXO_KERNEL);
    for (const BootProtocol door :
         {BootProtocol::automatic, BootProtocol::direct, BootProtocol::pvh, BootProtocol::multiboot2}) {
        const Outcome outcome = run(*image, {.entry = door, .ram_bytes = 64 << 20, .instruction_limit = 100'000'000});
        EXPECT_EQ(outcome.result.stop, StopReason::power_off) << outcome.result.detail;
        EXPECT_NE(outcome.console.find("tour: 10 of 10 steps passed"), std::string::npos) << outcome.console;
    }
}

// The same file in another machine says the same. (Its SeaBIOS enters it; the serial line is its standard output.)
TEST(Foreign, RingsSaysTheSameInQemu) {
    const std::string command =
        "timeout 200 qemu-system-x86_64 -M q35 -m 64 -device isa-debug-exit,iobase=0xf4,iosize=4 -display none "
        "-monitor none -no-reboot -serial stdio -nic none -vga none -kernel '" +
        guest("rings") + "' </dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    ASSERT_TRUE(pipe);
    std::string console;
    for (int c; (c = std::fgetc(pipe.get())) != EOF;)
        if (c != '\r') console.push_back(char(c));
    EXPECT_EQ(console, rings_says);
}

// What running `bytes` is refused with; "" if it is not.
std::string refusal(const Bytes& bytes, RunConfig config = {}) {
    try {
        config.instruction_limit = 1000;
        run(*Image::parse(bytes, "kernel"), config);
    } catch (const ImageError& error) {
        EXPECT_TRUE(std::string(error.what()).starts_with("kernel")) << error.what();
        EXPECT_NE(std::string(error.what()).find(";"), std::string::npos) << "no next step: " << error.what();
        return error.what();
    }
    return "";
}

std::size_t header_at(const Bytes& bytes) {
    const std::uint32_t magic = 0xe85250d6;
    for (std::size_t i = 0; i + 4 <= bytes.size(); i += 8)
        if (std::memcmp(&bytes[i], &magic, 4) == 0) return i;
    return 0;
}
void put32(Bytes& bytes, std::size_t at, std::uint32_t value) { std::memcpy(&bytes[at], &value, 4); }
// The ticker with a 32-bit word of its multiboot2 header changed, and a checksum that fits.
Bytes ticker_with(std::size_t offset, std::uint32_t value) {
    Bytes bytes = read_file(guest("ticker"));
    const std::size_t at = header_at(bytes);
    put32(bytes, at + offset, value);
    std::uint32_t sum = 0, word;
    for (unsigned i = 0; i < 3; ++i) std::memcpy(&word, &bytes[at + 4 * i], 4), sum += word;
    put32(bytes, at + 12, -sum);
    return bytes;
}

void expect_refusal(const Bytes& bytes, const std::string& cause, RunConfig config = {}) {
    const std::string said = refusal(bytes, config);
    EXPECT_NE(said.find(cause), std::string::npos) << "expected: " << cause << "\n  got: " << said;
}

TEST(ForeignBadInput, HeadersThatLie) {
    EXPECT_EQ(refusal(ticker_with(16, 1)), "") << "the header as it is";
    expect_refusal(ticker_with(4, 4), "architecture 4");
    expect_refusal(ticker_with(8, 1 << 30), "longer than the file");
    expect_refusal(ticker_with(8, 8), "longer than the file");
    expect_refusal(ticker_with(8, 24), "does not fit");
    expect_refusal(ticker_with(8, 32), "no end tag");
    expect_refusal(ticker_with(20, 4), "does not fit");
    expect_refusal(ticker_with(20, 0xffff'fff8), "does not fit");
    expect_refusal(ticker_with(24, 8), "requires information of type 8");
    expect_refusal(ticker_with(16, 77), "requires something unknown (tag type 77)");
    EXPECT_EQ(refusal(ticker_with(16, 77 | 1 << 16)), "") << "an optional tag may be unknown";
    expect_refusal(ticker_with(32, 3), "outside of what the file loads");  // the framebuffer tag as an entry: 800
    expect_refusal(ticker_with(32, 2), "multiboot2 header");               // and as addresses that make no sense
}

TEST(ForeignBadInput, WhatCannotBePlacedOrEntered) {
    const auto changed = [](const char* name, auto change) {
        Bytes bytes = read_file(guest(name));
        auto& header = *reinterpret_cast<Elf64_Ehdr*>(bytes.data());
        change(header, reinterpret_cast<Elf64_Phdr*>(bytes.data() + header.e_phoff), bytes);
        return bytes;
    };
    expect_refusal(changed("ticker", [](auto& h, auto*, auto&) { h.e_entry = 0x77; }), "entry is in no segment");
    expect_refusal(changed("ticker", [](auto&, auto* p, auto&) { p[0].p_paddr = 0x4000'0000; }), "does not fit into");
    expect_refusal(changed("ticker", [](auto&, auto* p, auto&) { p[0].p_paddr = 0xe'0800; }), "ACPI tables");
    expect_refusal(changed("ticker", [](auto&, auto* p, auto&) { p[0].p_paddr = 0, p[0].p_memsz = 0xa0000; }),
                   "no room below 640 KiB");
    expect_refusal(changed("rings",
                           [](auto&, auto*, Bytes& bytes) {
                               const auto image = Image::parse(bytes, "rings");
                               const auto entry = std::uint32_t(*image->pvh_entry());
                               for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4)
                                   if (std::memcmp(&bytes[i], &entry, 4) == 0 && i > 16 && bytes[i - 4] == 'X')
                                       put32(bytes, i, 0x2000'0000);
                           }),
                   "outside of what the file loads");
    const Bytes rings = read_file(guest("rings")), ticker = read_file(guest("ticker"));
    expect_refusal(rings, "no multiboot2 header", {.entry = BootProtocol::multiboot2});
    expect_refusal(ticker, "no PVH note", {.entry = BootProtocol::pvh});
    Bytes neither = read_file(guest("ticker.elf32"));
    put32(neither, header_at(neither), 0);
    expect_refusal(neither, "neither a PVH note nor a multiboot2 header");
}

// Whatever is in the file: it is refused in words, or runs to an end that has a name.
TEST(ForeignBadInput, DamagedImages) {
    std::mt19937 random(3);
    unsigned refused = 0, ran = 0;
    for (const char* name : {"ticker", "rings", "ticker.elf32"}) {
        const Bytes whole = read_file(guest(name));
        for (unsigned i = 0; i < 120; ++i) {
            Bytes bytes = whole;
            const std::size_t within = i % 3 == 0 ? 0x200 : i % 3 == 1 ? 0x1200 : bytes.size();  // headers, text, all
            for (unsigned k = 0; k < 1 + i % 8; ++k)
                bytes[random() % std::min(within, bytes.size())] = std::uint8_t(random());
            if (i % 10 == 9) bytes.resize(random() % bytes.size());
            try {
                const auto image = Image::parse(bytes, "kernel");
                const Outcome outcome = run(*image, {.instruction_limit = 100'000});
                EXPECT_NE(outcome.result.stop, StopReason::engine_error)
                    << name << " " << i << ": " << outcome.result.detail;
                EXPECT_FALSE(outcome.result.detail.empty());
                ++ran;
            } catch (const ImageError& error) {
                EXPECT_TRUE(std::string(error.what()).starts_with("kernel: ")) << error.what();
                ++refused;
            }
        }
    }
    EXPECT_GT(refused, 20u);
    EXPECT_GT(ran, 100u);
}

}  // namespace
}  // namespace sim::test
