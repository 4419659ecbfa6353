// SPDX-License-Identifier: GPL-2.0-or-later
// How runs end and what sim reports.
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

using Runs = CommandTest;

TEST_F(Runs, JsonHasItsFields) {
    const Result result = shell("$DEV sim --kernel $COMPUTE --trace t --json");
    ASSERT_EQ(result.status, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    for (const char* key : {"schema",
                            "engine",
                            "engine_version",
                            "cpu",
                            "clock",
                            "seed",
                            "stop",
                            "instructions",
                            "cycles",
                            "cycles_range",
                            "waits",
                            "provenance",
                            "misses",
                            "unknown_instructions",
                            "placeholder_share",
                            "wall_s",
                            "mips",
                            "console",
                            "marks",
                            "functions",
                            "trace"}) {
        EXPECT_TRUE(json.contains(key)) << key;
    }
    EXPECT_EQ(json["stop"], "power-off");
    EXPECT_GT(json["instructions"], 100);
    EXPECT_GT(json["cycles"], 100);
    EXPECT_EQ(json["trace"]["bytes"], std::filesystem::file_size(folder / "t"));
    EXPECT_NE(json["console"], "");
    ASSERT_FALSE(json["functions"].empty());
    EXPECT_TRUE(json["functions"][0].contains("cycles"));
    EXPECT_EQ(json["model"], "out-of-order");
    EXPECT_EQ(json["model_cpu"], "znver4");
    const auto sum = [](const nlohmann::json& parts) {
        std::uint64_t sum = 0;
        for (const auto& [name, part] : parts.items()) sum += part.get<std::uint64_t>();
        return sum;
    };
    for (const char* stack : {"waits", "provenance", "misses"}) {
        std::uint64_t of_functions = 0;
        for (const auto& function : json["functions"]) of_functions += sum(function[stack]);
        EXPECT_EQ(of_functions, sum(json[stack])) << stack;
        if (stack != std::string("misses")) EXPECT_EQ(of_functions, json["cycles"]) << stack;
    }
    EXPECT_GT(json["misses"]["accesses"], json["misses"]["l1_data"]);
    EXPECT_GT(json["misses"]["l1_data"], 0);
    EXPECT_EQ(json["provenance"].value("estimate", 0) + json["provenance"].value("placeholder", 0),
              json["placeholder_cycles"]);
    EXPECT_LE(json["cycles_range"]["low"], json["cycles"]);
    EXPECT_GE(json["cycles_range"]["high"], json["cycles"]);
}

TEST_F(Runs, StrictFailsWhereMarksRestOnEstimates) {
    const Result strict = shell("$DEV sim --kernel $KERNEL --no-trace --strict=0.01");
    EXPECT_EQ(strict.status, 1);
    EXPECT_NE(strict.err.find("tour.boot_phases: "), std::string::npos) << strict.err;
    for (const char* part : {"out-of-order (znver4)", "% rest on estimates", "spent on", "mostly"})
        EXPECT_NE(strict.out.find(part), std::string::npos) << part << strict.out;
    const Result whole = shell("$DEV sim --kernel $COMPUTE --no-trace --strict --json");  // it has no marks
    EXPECT_EQ(whole.status, 1);
    EXPECT_NE(whole.err.find("the whole run: "), std::string::npos) << whole.err;
    EXPECT_EQ(nlohmann::json::parse(whole.out)["strict"]["over"], nlohmann::json{"the whole run"});
    EXPECT_EQ(shell("$DEV sim --kernel $COMPUTE --no-trace --strict=100").status, 0);
    EXPECT_EQ(shell("$DEV sim --kernel $COMPUTE --no-trace --strict=-1").status, 2);
    EXPECT_EQ(shell("$DEV sim --kernel $COMPUTE --no-trace --strict=much").status, 2);
    const Result cpu = shell("$DEV sim --kernel $COMPUTE --no-trace --cpu nosuch");
    EXPECT_EQ(cpu.status, 2);
    EXPECT_NE(cpu.err.find("--cpu nosuch"), std::string::npos) << cpu.err;
}

TEST_F(Runs, EachExtraInterruptHasItsFate) {
    // clock o: sets the timer up and waits in a loop for its first interrupt, with interrupts allowed.
    const std::string sim = "$DEV sim --no-trace --kernel $CLOCK --cmdline o ";
    const Result plain = shell(sim + "--json");
    ASSERT_EQ(plain.status, 0) << plain.err;
    const auto first = nlohmann::json::parse(plain.out);
    EXPECT_EQ(first["irq_at"], nlohmann::json::array());
    EXPECT_EQ(first["ram_mib"], 128);
    EXPECT_EQ(first["limit"], 2'000'000'000);

    const std::string options = "--irq-at 3 --irq-at 8000 --irq-at 99999999 --ram 64 --limit 1000000 ";
    const Result result = shell(sim + options + "--json");
    ASSERT_EQ(result.status, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["ram_mib"], 64);
    EXPECT_EQ(json["limit"], 1'000'000);
    ASSERT_EQ(json["irq_at"].size(), 3u) << json["irq_at"];
    const auto &unset = json["irq_at"][0], &delivered = json["irq_at"][1], &late = json["irq_at"][2];
    EXPECT_EQ(unset["at"], 3);
    EXPECT_TRUE(unset["delivered_at"].is_null());
    EXPECT_NE(unset["reason"].get<std::string>().find("not set up"), std::string::npos) << unset;
    EXPECT_EQ(delivered["delivered_at"], 8000);
    EXPECT_TRUE(delivered["reason"].is_null());
    EXPECT_TRUE(late["delivered_at"].is_null());
    EXPECT_NE(late["reason"].get<std::string>().find("ended before"), std::string::npos) << late;

    const Result text = shell(sim + options);
    for (const char* part : {"3: not delivered: the timer", "8,000: delivered at 8,000\n", "99,999,999: not delivered"})
        EXPECT_NE(text.out.find(part), std::string::npos) << part << text.out;
}

TEST_F(Runs, EndsHaveTheirStatus) {
    EXPECT_EQ(shell("$DEV run --kernel $ENDS --cmdline f").status, 3);
    const Result fault = shell("$DEV sim --no-trace --kernel $ENDS --cmdline t");
    EXPECT_EQ(fault.status, 3);
    for (const char* part : {"triple-fault", "rip", "cr3", "fault chain"}) {
        EXPECT_NE(fault.err.find(part), std::string::npos) << part << fault.err;
    }
    EXPECT_EQ(shell("$DEV sim --no-trace --kernel $ENDS --cmdline j").status, 3);
    EXPECT_EQ(shell("$DEV sim --no-trace --kernel $ENDS --cmdline w").status, 3);
}

TEST_F(Runs, ASpinSaysWhere) {
    const Result spin = shell("$DEV sim --no-trace --limit 100000 --kernel $ENDS --cmdline s");
    EXPECT_EQ(spin.status, 5);
    EXPECT_NE(spin.err.find("spun in"), std::string::npos) << spin.err;
    EXPECT_NE(spin.err.find("pause"), std::string::npos) << spin.err;
}

TEST_F(Runs, ALimitAmidWorkIsNoSpin) {
    for (const char* line :
         {"$DEV sim --no-trace --limit 300 --kernel $COMPUTE", "$DEV run --limit 300 --kernel $COMPUTE"}) {
        const Result cut = shell(line);
        EXPECT_EQ(cut.status, 5) << line;
        EXPECT_EQ(cut.err.find("spun"), std::string::npos) << cut.err;
        EXPECT_NE(cut.err.find("it stopped in"), std::string::npos) << cut.err;
    }
}

TEST_F(Runs, TimeLimitIsFive) {
    const Result spin = shell("$DEV run --json --timeout 0.3 --kernel $ENDS --cmdline s");
    EXPECT_EQ(spin.status, 5);
    EXPECT_EQ(nlohmann::json::parse(spin.out)["stop"], "time-limit");
    EXPECT_NE(spin.err.find("raise --timeout\n  it was in "), std::string::npos) << spin.err;
    EXPECT_EQ(spin.err.find("interrupted"), std::string::npos) << "one error, and not Ctrl-C's: " << spin.err;
}

TEST_F(Runs, ControlCLeavesAReadableTrace) {
    // A shell starts background jobs with SIGINT ignored; exo-dev installs its handler all the same.
    const Result result = shell(
        "$DEV sim --trace t --limit 100000000000 --kernel $ENDS --cmdline s >/dev/null & p=$!; sleep 2; kill -INT $p; "
        "wait $p");
    EXPECT_EQ(result.status, 130) << result.err;
    const Result info = shell("$DEV trace info t --json");
    EXPECT_EQ(info.status, 0) << info.err;
    EXPECT_EQ(nlohmann::json::parse(info.out)["stop"], "interrupted");
}

}  // namespace
