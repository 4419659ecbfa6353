// SPDX-License-Identifier: GPL-2.0-or-later
// The figures of a validation: statistics against hand-made data, files of measurements, what is refused.
#include <gtest/gtest.h>

#include <unistd.h>
#include <sim/timing/provenance.hpp>

#include <devenv/exit_status.hpp>
#include <devenv/validation/validation.hpp>
#include <filesystem>
#include <fstream>
#include <random>

namespace devenv {
namespace {

TEST(Statistics, AccuracyOfHandMadePairs) {
    const Pair pairs[] = {{1, 1}, {2, 2.1}, {4, 3}, {10, 15}};  // errors 0, 5, 25 and 50 %
    const Accuracy all = accuracy(pairs);
    EXPECT_EQ(all.count, 4u);
    EXPECT_DOUBLE_EQ(all.mean, 0.20);
    EXPECT_DOUBLE_EQ(all.median, 0.15);
    EXPECT_DOUBLE_EQ(all.within_10, 0.5);
    EXPECT_DOUBLE_EQ(all.over_25, 0.25);
    EXPECT_DOUBLE_EQ(all.tau, 1);
    EXPECT_EQ(accuracy({}).count, 0u);
    EXPECT_DOUBLE_EQ(accuracy(std::span(pairs, 1)).tau, 0);
    EXPECT_NEAR(accuracy(std::span(pairs, 3)).median, 0.05, 1e-12);
}

TEST(Statistics, KendallsTau) {
    const Pair reversed[] = {{1, 9}, {2, 8}, {3, 7}};
    EXPECT_DOUBLE_EQ(kendall_tau(reversed), -1);
    const Pair one_exchange[] = {{1, 1}, {2, 3}, {3, 2}, {4, 4}};  // 5 of 6 pairs agree
    EXPECT_DOUBLE_EQ(kendall_tau(one_exchange), 4.0 / 6);
    const Pair constant[] = {{1, 5}, {2, 5}, {3, 5}};
    EXPECT_DOUBLE_EQ(kendall_tau(constant), 0);
    // Ties on both sides: 4 concordant, none discordant, one tie each, of 6 pairs: 4 / sqrt(5 * 5).
    const Pair tied[] = {{1, 1}, {1, 2}, {2, 2}, {3, 3}};
    EXPECT_DOUBLE_EQ(kendall_tau(tied), 4.0 / 5);
}

// Against the definition, with many ties.
TEST(Statistics, KendallsTauOfManyPairs) {
    std::mt19937 random(7);
    std::vector<Pair> pairs;
    for (unsigned i = 0; i < 300; ++i) pairs.push_back({1.0 + random() % 40, 1.0 + random() % 25});
    double agree = 0, disagree = 0, first = 0, second = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            const double a = pairs[i].measured - pairs[j].measured, b = pairs[i].predicted - pairs[j].predicted;
            (a * b > 0 ? agree : disagree) += a * b != 0;
            first += a != 0;
            second += b != 0;
        }
    EXPECT_NEAR(kendall_tau(pairs), (agree - disagree) / std::sqrt(first * second), 1e-12);
}

struct SampleFiles : testing::Test {
    void SetUp() override {
        char name[] = "/tmp/exo-samples-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }
    std::string refusal(const std::string& content, bool cycles = true) const {
        std::ofstream(folder / "f", std::ios::binary) << content;
        try {
            read_samples(folder / "f", cycles);
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.status, Exit::usage);
            return failure.what();
        }
        return "";
    }
    std::filesystem::path folder;
};

TEST_F(SampleFiles, BlocksAndPatterns) {
    std::ofstream(folder / "b.csv") << "hex,cycles_per_iteration,spread,flags\r\n4801d8,0.99,0.01,I\r\n90,0.08,0,I\r\n";
    const SampleSet blocks = read_samples(folder / "b.csv", true);
    ASSERT_EQ(blocks.samples.size(), 2u);
    EXPECT_FALSE(blocks.patterns);
    EXPECT_EQ(to_hex(blocks.samples[0].code), "4801d8");
    EXPECT_EQ(blocks.samples[0].measured, 0.99);
    EXPECT_EQ(blocks.samples[1].flags, "I");

    std::ofstream(folder / "p.tsv") << "what\tcycles\tassembly_intel_syntax\nadd\t1\tadd rax,rbx\n"
                                       "nothing\t1\tfrobnicate rax\njump\t1\tjmp 1f;1:\nfile\t1\t.incbin \"p.tsv\"\n";
    SampleSet patterns = read_samples(folder / "p.tsv", true);
    EXPECT_TRUE(patterns.patterns);
    assemble(patterns);
    EXPECT_EQ(to_hex(patterns.samples[0].code), "4801d8");
    EXPECT_EQ(patterns.samples[0].excluded, "");
    EXPECT_NE(patterns.samples[1].excluded.find("no such instruction"), std::string::npos)
        << patterns.samples[1].excluded;
    EXPECT_EQ(to_hex(patterns.samples[2].code), "eb00");
    EXPECT_NE(patterns.samples[3].excluded, "");
}

TEST_F(SampleFiles, DamageIsNamedWithItsLine) {
    const std::string header = "hex,cycles_per_iteration\n90,1\n";
    EXPECT_NE(refusal("").find("is empty"), std::string::npos);
    EXPECT_NE(refusal("hex,cycles_per_iteration\n").find("no blocks"), std::string::npos);
    EXPECT_NE(refusal("a,b\n1,2\n").find(":1: its header has neither"), std::string::npos);
    EXPECT_NE(refusal("hex,x\n90,1\n").find("no column 'cycles_per_iteration'"), std::string::npos);
    EXPECT_EQ(refusal("hex,x\n90,1\n", false), "");
    for (const char* line : {"9,1", "9g,1", ",1", "90", "90,1,2", "90,", "90,x", "90,0", "90,-1", "90,nan", "90,1e999"})
        EXPECT_NE(refusal(header + line + "\n").find("f:3: "), std::string::npos) << line;
    EXPECT_NE(refusal("what\tcycles\tassembly_intel_syntax\nx\t1\t\n").find(":2: no assembly"), std::string::npos);
    EXPECT_NE(refusal(std::string("\0\x01\xff", 3)).find(":1: "), std::string::npos);
    EXPECT_THROW(read_samples(folder, true), Failure);
    EXPECT_THROW(read_samples(folder / "none", true), Failure);
}

BlockFacts facts_of(const char* hex) {
    static BlockModel model("znver4");
    return model.facts(*parse_hex(hex));
}

TEST(Blocks, Categories) {
    EXPECT_EQ(facts_of("4801d8").category, Category::integer);  // add rax, rbx
    EXPECT_FALSE(facts_of("4801d8").memory);
    EXPECT_TRUE(facts_of("480307").memory);                          // add rax, [rdi]
    EXPECT_FALSE(facts_of("488d4708").memory);                       // lea rax, [rdi + 8]
    EXPECT_EQ(facts_of("660ffec1").category, Category::sse);         // paddd xmm0, xmm1
    EXPECT_EQ(facts_of("c5fdfec1").category, Category::avx);         // vpaddd ymm0, ymm0, ymm1
    EXPECT_EQ(facts_of("62f17d48fec1").category, Category::avx512);  // vpaddd zmm0, zmm0, zmm1
    EXPECT_EQ(facts_of("c4e2f8f2c3").category, Category::integer);   // andn rax, rax, rbx
    EXPECT_EQ(facts_of("660ffec1c5fdfec1").category, Category::avx);
    EXPECT_EQ(facts_of("ff").undecodable, "no instruction at byte 0");
    EXPECT_EQ(facts_of("90ff").undecodable, "no instruction at byte 1");
}

// What must never run in a process of ours: system calls, privileged instructions, jumps, what waits or changes bases.
TEST(Blocks, RefusedForMeasuring) {
    for (const char* hex :
         {"0f05",       "cd80",   "0f34",         "f4",     "0f01d9", "0f01c1",     "ebfe",       "7400",
          "e800000000", "c3",     "ffe0",         "cc",     "0f0b",   "0f32",       "0f30",       "0f22d8",
          "e400",       "ee",     "fa",           "fb",     "0fa2",   "f3480faec0", "f3480faed0", "8ed8",
          "0f01f9c3",   "0f01fb", "c7f800000000", "0f01ef", "0f01c9"})
        EXPECT_NE(facts_of(hex).not_measured + facts_of(hex).undecodable, "") << hex;
    for (const char* hex : {"90", "0faef0", "0f31", "f3a4", "9c9d", "f390", "0fae38", "f0480107"})
        EXPECT_EQ(facts_of(hex).not_measured, "") << hex;
}

TEST(Blocks, NaiveModel) {
    BlockModel model("znver4");
    const auto naive = [&model](const char* hex) { return model.naive(*parse_hex(hex)); };
    EXPECT_DOUBLE_EQ(naive("4801d8"), 1);                      // add rax, rbx
    EXPECT_DOUBLE_EQ(naive("480fafc3"), 3);                    // imul rax, rbx
    EXPECT_DOUBLE_EQ(naive("488b00"), 4);                      // mov rax, [rax]
    EXPECT_DOUBLE_EQ(naive("31c0"), 1.0 / 6);                  // xor eax, eax
    EXPECT_DOUBLE_EQ(naive("909090909090909090909090"), 2.0);  // 12 instructions
    EXPECT_DOUBLE_EQ(naive("5058"), 2.0 / 6);                  // push rax; pop rax: memory is not looked at
}

TEST(Comparison, ByCategoryWithCauses) {
    BlockModel model("znver4");
    SampleSet set;
    set.name = "made";
    const auto add = [&set](const char* hex, double cycles) {
        Sample sample;
        sample.name = hex;
        sample.code = *parse_hex(hex);
        sample.measured = cycles;
        set.samples.push_back(sample);
    };
    add("4801d8", 1);    // a chain of additions: 1 cycle
    add("480fafc3", 6);  // a multiplication takes 3
    add("48f7f3", 1);    // division takes more
    add("0f05", 100);    // syscall: not modelled
    add("ff", 1);        // no instruction
    const Comparison comparison = compare(set, examine(set, model, false), model, false);
    ASSERT_EQ(comparison.blocks.size(), 3u);
    ASSERT_EQ(comparison.uncovered.size(), 2u);
    EXPECT_NEAR(comparison.blocks[0].of(Predictor::exo), 1, 0.01);
    EXPECT_NEAR(comparison.blocks[1].of(Predictor::exo), 3, 0.01);
    EXPECT_EQ(comparison.blocks[0].cause, "");
    EXPECT_NE(comparison.blocks[1].cause.find("too fast"), std::string::npos);
    EXPECT_NE(comparison.blocks[2].cause.find("division"), std::string::npos);
    EXPECT_EQ(comparison.worst(2)[0], &comparison.blocks[2]);
    EXPECT_EQ(comparison.worst(99).size(), 3u);
    EXPECT_EQ(comparison.groups.size(), 2u);  // all, integer
    EXPECT_EQ(comparison.groups[1].of(Predictor::exo).count, 3u);
    EXPECT_EQ(comparison.all().of(Predictor::llvm_mca).count, 0u);
    EXPECT_THROW(BlockModel("vax"), sim::timing::DataError);
}

}  // namespace
}  // namespace devenv
