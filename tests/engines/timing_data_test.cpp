// SPDX-License-Identifier: GPL-2.0-or-later
// The data of the timing model: what is built in is whole, and each way to damage a file ends in one line that names
// the place.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <set>
#include <sim/image/decoder.hpp>
#include <sim/timing/cpu.hpp>
#include <sim/timing/data.hpp>
#include <sim/timing/model.hpp>

namespace {

using namespace sim;
using namespace sim::timing;

std::string error_of(auto&& action) {
    try {
        action();
    } catch (const DataError& error) {
        return error.what();
    }
    return "no error";
}

void expect_error(auto&& action, const std::string& text) {
    const std::string error = error_of(action);
    EXPECT_NE(error.find(text), error.npos) << error;
    EXPECT_EQ(error.find('\n'), error.npos) << error;
}

std::string with(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return at == text.npos ? text : text.replace(at, from.size(), to);
}

TEST(TimingData, EverythingBuiltInCanBeLoaded) {
    for (const std::string& name : cpu_names()) EXPECT_EQ(load_cpu(name)->name, name);
    EXPECT_GE(cpu_names().size(), 3u);
}

void expect_every_system_cost(const Cpu& cpu) {
    for (unsigned i = 0; i <= static_cast<unsigned>(Special::unsupported); ++i) {
        const auto special = static_cast<Special>(i);
        const bool none = special == Special::plain || special == Special::nop || special == Special::string ||
                          special == Special::unsupported;
        EXPECT_EQ(special_name(special).empty(), none) << i;
        if (none) continue;
        const SystemCost* cost = cpu.overlay.system(special, "");
        ASSERT_NE(cost, nullptr) << i;
        EXPECT_FALSE(cost->evidence.text.empty()) << cost->name;
        if (cost->evidence.provenance == Provenance::estimate && cost->cycles.high) {
            EXPECT_LT(cost->cycles.low, cost->cycles.high) << cost->name << ": an estimate has a range";
        }
    }
    for (unsigned i = 0; i < static_cast<unsigned>(SystemEvent::count_); ++i)
        EXPECT_GT(cpu.overlay.event(static_cast<SystemEvent>(i)).cycles.likely, 0u);
}

TEST(TimingData, EverySystemInstructionEventAndStringHasACostWithASource) {
    for (const std::string& name : cpu_names())
        if (const auto one = load_cpu(name); !one->ideal) expect_every_system_cost(*one);
    const auto cpu = load_cpu("znver4");
    EXPECT_EQ(cpu->overlay.system(Special::fsgsbase, "WRGSBASE64")->cycles.likely, 44u);
    EXPECT_EQ(cpu->overlay.system(Special::mov_to_cr, "MOV64cr", 3)->evidence.provenance, Provenance::estimate);
    EXPECT_FALSE(cpu->overlay.system(Special::mov_to_cr, "MOV64cr", 8)->drains);
}

TEST(TimingData, OpcodesOfTheOverlayAreLlvms) {
    const auto decoder = Decoder::make();
    std::vector<std::string> names;
    for (unsigned i = 0; i < 65536; ++i)
        if (const auto name = decoder->opcode_name(static_cast<std::uint16_t>(i)); !name.empty())
            names.emplace_back(name);
    for (const std::string& name : cpu_names()) {
        const auto cpu = load_cpu(name);
        for (const InstructionCost& one : cpu->overlay.instructions())
            for (const std::string& glob : one.opcodes) {
                if (glob.find('.') != glob.npos) continue;  // LEA.simple: the model's own
                EXPECT_TRUE(std::ranges::any_of(names, [&](const auto& opcode) { return glob_matches(glob, opcode); }))
                    << name << ": " << glob;
            }
    }
}

// What an overlay says was measured stands in the table of measurements beside it.
TEST(TimingData, PatternsOfTheOverlayWereMeasured) {
    const std::pair<const char*, const char*> tables[] = {{"znver5", "zen5-micro.tsv"}};
    for (const auto& [name, table] : tables) {
        std::set<std::string> measured;
        std::ifstream lines(std::filesystem::path(EXO_SOURCE) / "sim/timing/data" / table);
        for (std::string line; std::getline(lines, line);) measured.insert(line.substr(0, line.find('\t')));
        ASSERT_GT(measured.size(), 100u);
        const auto cpu = load_cpu(name);
        const auto check = [&](const auto& entries) {
            for (const auto& one : entries) {
                if (one.evidence.provenance != Provenance::measured) continue;
                for (const std::string& pattern : one.evidence.patterns)
                    EXPECT_TRUE(measured.contains(pattern)) << name << ": " << pattern;
            }
        };
        check(cpu->overlay.instructions()), check(cpu->overlay.systems()), check(cpu->overlay.strings());
    }
}

// Zen 4's table and overlay, read as Zen 5's.
TEST(TimingData, AnotherCpusDataAreAdapted) {
    const auto four = load_cpu("znver4"), five = load_cpu("znver5");
    const auto units = [](const Cost* cost) { return std::popcount(cost->uses.at(0).units); };
    EXPECT_EQ(units(four->scheduling.find("ADD64rr")), 4);
    EXPECT_EQ(units(five->scheduling.find("ADD64rr")), 6);
    EXPECT_EQ(four->scheduling.find("VPADDDZrr")->uses.at(0).cycles, 2);  // halves, one after the other
    EXPECT_EQ(five->scheduling.find("VPADDDZrr")->uses.at(0).cycles, 1);
    EXPECT_EQ(five->scheduling.find("VPADDDYrr")->uses.at(0).cycles, 1);
    EXPECT_EQ(four->scheduling.find("PADDDrr")->latency, 1);
    EXPECT_EQ(five->scheduling.find("PADDDrr")->latency, 2);
    EXPECT_EQ(five->scheduling.find("ADD64rr")->latency, 1);
    // What is measured on the one is an estimate of the other, with a range, unless it was measured there too.
    const auto* pattern = four->overlay.system(Special::fsgsbase, "RDFSBASE64");
    const auto* inherited = five->overlay.system(Special::fsgsbase, "RDFSBASE64");
    EXPECT_EQ(pattern->evidence.provenance, Provenance::measured);
    EXPECT_EQ(inherited->evidence.provenance, Provenance::estimate);
    EXPECT_EQ(inherited->cycles.likely, pattern->cycles.likely);
    EXPECT_LT(inherited->cycles.low, inherited->cycles.likely);
    EXPECT_EQ(five->overlay.system(Special::rdtscp, "RDTSCP")->evidence.provenance, Provenance::measured);
}

// Zen 3 has a table of its own, and what was measured on Zen 4 as estimates, except where LLVM tells the two apart.
TEST(TimingData, NothingOfZen3WasMeasured) {
    const auto three = load_cpu("znver3"), four = load_cpu("znver4");
    EXPECT_EQ(three->counts()[static_cast<std::size_t>(Provenance::measured)], 0u);
    const auto says = [](const char* cpu, const char* text) {
        return make_model(cpu)->description().find(text) != std::string::npos;
    };
    EXPECT_TRUE(says("znver3", "nothing of it measured"));
    EXPECT_TRUE(says("znver4", "corrected by measurements"));
    EXPECT_EQ(three->scheduling.find("VPADDDZrr"), nullptr);  // no AVX-512
    EXPECT_NE(four->scheduling.find("VPADDDZrr"), nullptr);
    for (const char* const opcode : {"BSF64rr", "BSR64rr", "TZCNT64rr", "TZCNT16rr", "PSHUFBrr", "VINSERTI128rri"}) {
        const Cost *own = three->overlay.find(opcode), *llvm = three->scheduling.find(opcode);
        ASSERT_TRUE(own && llvm) << opcode;
        EXPECT_EQ(own->latency, llvm->latency) << opcode;
        EXPECT_EQ(own->uops, llvm->uops) << opcode;
        ASSERT_EQ(own->uses.size(), llvm->uses.size()) << opcode;
        EXPECT_EQ(own->uses.at(0).units, llvm->uses.at(0).units) << opcode;
        EXPECT_EQ(own->uses.at(0).cycles, llvm->uses.at(0).cycles) << opcode;
        EXPECT_NE(own->latency, four->overlay.find(opcode)->latency) << opcode;
    }
    EXPECT_EQ(three->overlay.find("MUL64r")->latency, four->overlay.find("MUL64r")->latency);
    EXPECT_EQ(three->overlay.system(Special::fsgsbase, "RDFSBASE64")->evidence.provenance, Provenance::estimate);
}

// Skylake's own table: ports, loads in one slot with what needs them, and nothing that anybody measured.
TEST(TimingData, SkylakeIsLlvmsTableAndEstimates) {
    const auto cpu = load_cpu("skylake-avx512");
    EXPECT_EQ(cpu->units.text(cpu->scheduling.find("IMUL64rr")->uses.at(0).units), "Port1");
    EXPECT_EQ(cpu->scheduling.find("IMUL64rr")->latency, 3);
    EXPECT_EQ(cpu->scheduling.find("VDIVPSZrr")->uses.at(0).cycles, 10);  // not halved
    EXPECT_EQ(cpu->counts()[static_cast<std::size_t>(Provenance::measured)], 0u);
    EXPECT_TRUE(cpu->micro_fusion);
    EXPECT_FALSE(load_cpu("znver4")->micro_fusion);
    for (const SystemCost& one : cpu->overlay.systems())
        if (one.cycles.likely) EXPECT_LT(one.cycles.low, one.cycles.high) << one.name;
}

TEST(TimingData, StringsFollowTheirPoints) {
    const auto cpu = load_cpu("znver4");
    const StringCost& move = *cpu->overlay.string("MOVSQ", true);
    EXPECT_EQ(move.cycles(0).likely, 14u);
    EXPECT_EQ(move.cycles(160).likely, 24u);
    EXPECT_EQ(move.cycles(8192).likely, 560u);
    EXPECT_EQ(move.cycles(~0ull).likely, 1u << 30);
    const Range scan = cpu->overlay.string("SCASB", true)->cycles(16);
    EXPECT_LT(scan.low, scan.likely);
    EXPECT_GT(scan.high, scan.likely);
}

TEST(TimingData, DamagedOverlaysAreRefusedWithThePlace) {
    const std::string whole(built_in("znver4.overlay.json"));
    const std::pair<std::pair<const char*, const char*>, const char*> damage[] = {
        {{"\"latency\": 1,", "\"latency\": -1,"}, "instructions[0] (MOV32ri): latency: -1 is not from 0"},
        {{"\"latency\": 1,", "\"latency\": [3, 2, 4],"}, "latency: low, likely, high do not ascend"},
        {{"\"uops\": 1,", "\"ups\": 1,"}, "instructions[0] (MOV32ri): uops: is missing"},

        {{":1\",\n     \"measured\"", "\",\n     \"measured\""}, "units: no cycles behind"},
        {{"\"measured\": \"patterns\"", "\"measured\": \"dreams\""}, "'dreams' is not one of the file's measurements"},
        {{"\"measured\": \"patterns\", \"patterns\": [", "\"patterns\": ["}, "needs one of them"},
        {{"\"instruction\": \"syscall\"", "\"instruction\": \"sycall\""}, "there is no system instruction 'sycall'"},
        {{"\"drains\": true", "\"drains\": 1"}, "system[0] (syscall): drains: is neither true nor false"},
        {{"[64, 14]", "[64, -14]"}, "points: has what is not [bytes, cycles]"},
        {{"[256, 34]", "[32, 34]"}, "do not ascend at [32,34]"},
        {{"\"system\": [", "\"system\": [,"}, "line "},
    };
    for (const auto& [change, expected] : damage) {
        UnitNames units;
        Overlay overlay;
        const std::string text = with(whole, change.first, change.second);
        expect_error([&] { overlay.read(text, "my.json", units); }, expected);
        expect_error([&] { Overlay().read(text, "my.json", units); }, "my.json: ");
    }
    UnitNames units;
    Overlay incomplete;
    incomplete.read(with(whole, "{\"instruction\": \"hlt\"", "{\"instruction\": \"cpuid\""), "my.json", units);
    expect_error([&] { incomplete.finish("my.json"); }, "system: no entry for every 'hlt'");
}

TEST(TimingData, DamagedCpuFilesAreRefusedWithThePlace) {
    const std::string whole(built_in("znver4.json"));
    const auto path = std::filesystem::temp_directory_path() / ("exo-cpu-" + std::to_string(::getpid()) + ".json");
    const std::pair<std::pair<const char*, const char*>, const char*> damage[] = {
        {{"\"load_integer\": {\"value\": 4", "\"load_integer\": {\"value\": -4"},
         "load_integer: value: -4 is not from 1"},
        // An instruction has up to some thirty operations: fewer places would never be enough for it.
        {{"\"integer_scheduler\": {\"value\": 96", "\"integer_scheduler\": {\"value\": 31"},
         "integer_scheduler: value: 31 is not from 32"},
        {{"\"store_queue\"", "\"store_que\""}, "parameters: store_queue: is missing"},
        {{"\"name\"", "\"colour\": \"red\", \"name\""}, "colour: there is no such field"},
        {{"\"scheduling\": \"znver4\"", "\"scheduling\": \"znver9\""}, "there is no table of LLVM's CPU 'znver9'"},
        {{"znver4.overlay.json", "none.json"}, "overlays: there is no file 'none.json'"},
        {{"ALU0|BRU1", "ALU0|BRU7"}, "branch_units: value: 'BRU7' is no execution unit"},
        {{"\"out-of-order\"", "\"magic\""}, "model: 'magic' is neither"},
    };
    for (const auto& [change, expected] : damage) {
        std::ofstream(path) << with(whole, change.first, change.second);
        expect_error([&] { load_cpu(path.string()); }, expected);
        expect_error([&] { load_cpu(path.string()); }, path.string());
    }
    const std::pair<std::pair<const char*, const char*>, const char*> adapted[] = {
        {{"\"from\": \"ALU1\"", "\"fro\": \"ALU1\""}, "regrouped: from: is missing"},
        {{"\"to\": \"ALU0|ALU3|ALU4|ALU5\", \"measured\"", "\"to\": \"ALU0\", \"told\""}, "regrouped: "},
        {{"\"overlay\": \"znver4.overlay.json\"", "\"overlay\": \"none.json\""}, "there is no file 'none.json'"},
        {{"\"LD0\", \"LD1\"", "1, 2"}, "own_units: "},
    };
    for (const auto& [change, expected] : adapted) {
        std::ofstream(path) << with(std::string(built_in("znver5.json")), change.first, change.second);
        expect_error([&] { load_cpu(path.string()); }, expected);
    }
    std::filesystem::remove(path);
    expect_error([&] { load_cpu(path.string()); }, "cannot be read");
    expect_error([] { load_cpu("vax"); }, "no CPU 'vax' to model: use znver4");
    UnitNames units;
    expect_error([&] { Scheduling("uops=1 latency=x advance=0 units=\n A\n", "t.sched", units); },
                 "t.sched: line 1: 'x'");
    expect_error([&] { Scheduling("", "t.sched", units); }, "t.sched: it has no opcodes");
}

}  // namespace
