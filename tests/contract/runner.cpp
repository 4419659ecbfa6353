// SPDX-License-Identifier: GPL-2.0-or-later
// Boots exo-contract.elf on the simulated board and turns each of its lines into a judgement.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <sim/engine.hpp>
#include <sim/image/image.hpp>
#include <sstream>
#include <string>

#include "check.hpp"
#include "cpus.hpp"

namespace {

constexpr std::uint64_t instruction_limit = 500'000'000;  // ten times what a run takes

struct Outcome {
    sim::RunResult result;
    std::string console;
};

Outcome run_image(unsigned cpus) {
    const auto image = sim::Image::load(EXO_CONTRACT_IMAGE);
    Outcome outcome;
    sim::RunConfig config;
    config.image = image.get();
    config.cpus = cpus;
    config.command_line = "scenario=contract";
    config.instruction_limit = instruction_limit;
    config.console = [&](std::string_view text) { outcome.console += text; };
    outcome.result = sim::make_unicorn_engine()->run(config);
    return outcome;
}

struct Report {
    std::set<std::string> ok;
    std::vector<std::string> failures;
    std::string summary;
};

Report parse(const std::string& console) {
    Report report;
    std::istringstream lines(console);
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        std::istringstream words(line);
        std::string prefix, name, verdict;
        if (!(words >> prefix >> name >> verdict) || prefix != "contract:" || name == "note") continue;
        if (verdict == "ok") report.ok.insert(name);
        else if (verdict == "FAILED") report.failures.push_back(line);
        else if (verdict == "passed,") report.summary = line;
    }
    return report;
}

class BareMetalContract : public testing::TestWithParam<unsigned> {};

TEST_P(BareMetalContract, EveryCasePassesInTheBootedKernel) {
    const Outcome outcome = run_image(GetParam());
    const Report report = parse(outcome.console);
    for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
    // The host's face is linked with the same table: no case can go missing.
    for (std::size_t i = 0; i < contract::case_count(); ++i)
        EXPECT_TRUE(report.ok.contains(contract::case_at(i).name)) << contract::case_at(i).name << " did not pass";
    EXPECT_EQ(report.summary, "contract: " + std::to_string(contract::case_count()) + " passed, 0 failed");
    // None of them stayed behind.
    const std::string compared = "time stamps of " + std::to_string(GetParam()) + " CPUs";
    EXPECT_EQ(outcome.console.find(compared) != std::string::npos, GetParam() > 1);
    EXPECT_EQ(sim::name(outcome.result.stop), "power-off") << outcome.result.detail;
    if (HasFailure()) fprintf(stderr, "the guest's console:\n%s\n", outcome.console.c_str());
}

INSTANTIATE_TEST_SUITE_P(Cpus, BareMetalContract, testing::Values(1u, 4u));

}  // namespace

// The runner only reads the table of cases; it never runs one.
namespace contract {
void fail(const char*, int, const char*) { abort(); }
void note(std::string_view) {}
unsigned machine_cpus() { return 1; }
hal::PhysAddr block_allocate(std::size_t) { return no_block; }
void block_free(hal::PhysAddr, std::size_t) {}
TimerOwner::TimerOwner() = default;
TimerOwner::~TimerOwner() = default;
std::uint64_t TimerOwner::fired() const { return 0; }
std::uint64_t TimerOwner::last_fired_ns() const { return 0; }
}  // namespace contract
