// SPDX-License-Identifier: GPL-2.0-or-later
// The out-of-order model against what a Zen 4 was measured to do, on blocks made by hand: steady-state cycles of a loop
// body.
#include <gtest/gtest.h>

#include <array>
#include <sim/timing/cpu.hpp>
#include <sim/timing/model.hpp>

#include "synthetic.hpp"

namespace {

using namespace sim;
using synthetic::access;
using synthetic::CodeBuilder;
using synthetic::kernel_base;

constexpr std::uint64_t data = 0xffff888000001000;

class ModelRun {
  public:
    ModelRun() : model_(make_model(default_cpu_model)) {}
    void code(const CodeBlock& code) { model_->on_code(code); }

    std::vector<RetireTime> once(const CodeBlock& code, std::span<const Access> accesses = {}, bool taken = false) {
        auto count = static_cast<std::uint32_t>(code.instructions.size());
        std::vector<RetireTime> times(count);
        model_->run({0, &code, 0, count, index_, taken, accesses}, times);
        index_ += count;
        for (const RetireTime& time : times) sum_ += time.cycles, placeholder_ += time.placeholder_cycles;
        return times;
    }
    // Cycles a repetition, times 100, after a warm-up.
    std::uint64_t steady_hundredths(const CodeBlock& code, std::span<const Access> accesses = {}) {
        model_->on_code(code);
        for (int i = 0; i < 200; ++i) once(code, accesses);
        Cycle before = model_->now();
        for (int i = 0; i < 1000; ++i) once(code, accesses);
        return (model_->now() - before) / 10;
    }
    TimingModel& model() { return *model_; }
    Cycle sum() const { return sum_; }
    Cycle placeholder() const { return placeholder_; }
    void add(RetireTime time) { sum_ += time.cycles, placeholder_ += time.placeholder_cycles; }

  private:
    std::unique_ptr<TimingModel> model_;
    InstructionIndex index_ = 0;
    Cycle sum_ = 0, placeholder_ = 0;
};

TEST(TimingModel, DependentAddsTakeACycleEach) {
    CodeBuilder b(0, kernel_base);
    for (int i = 0; i < 8; ++i) b.add_rax_rax();
    EXPECT_EQ(ModelRun().steady_hundredths(b.take()), 800u);
}

TEST(TimingModel, DispatchesSixAddsAndTwelveNopsACycle) {
    CodeBuilder moves(0, kernel_base), nops(0, kernel_base);
    for (int i = 0; i < 12; ++i) moves.add({0x48, 0x89, 0xd8}, synthetic::rbx, synthetic::rax);
    for (int i = 0; i < 12; ++i) nops.nop();
    EXPECT_EQ(ModelRun().steady_hundredths(moves.take()), 200u);
    EXPECT_EQ(ModelRun().steady_hundredths(nops.take()), 100u);
}

TEST(TimingModel, UnitsLimitThroughput) {
    CodeBuilder adds(0, kernel_base), shifts(0, kernel_base), multiplies(0, kernel_base);
    for (std::uint8_t i = 0; i < 12; ++i) {
        const std::uint8_t reg = i % 4;  // rax, rcx, rdx, rbx
        adds.add({0x48, 0x83, static_cast<std::uint8_t>(0xc0 + reg), 0x01});
        shifts.add({0x48, 0xc1, static_cast<std::uint8_t>(0xe0 + reg), 0x03});
        multiplies.add({0x48, 0x6b, static_cast<std::uint8_t>(0xc6 + 8 * reg), 0x07});  // imul reg, rsi, 7
    }
    EXPECT_EQ(ModelRun().steady_hundredths(adds.take()), 300u);
    EXPECT_EQ(ModelRun().steady_hundredths(shifts.take()), 600u);
    EXPECT_EQ(ModelRun().steady_hundredths(multiplies.take()), 1200u);
}

TEST(TimingModel, ZeroIdiomBreaksTheChain) {
    CodeBuilder b(0, kernel_base);
    b.add({0x48, 0x0f, 0xaf, 0xc0}, synthetic::rax, synthetic::rax);  // imul rax, rax
    b.add({0x31, 0xc0}, synthetic::rax, synthetic::rax);              // xor eax, eax
    EXPECT_EQ(ModelRun().steady_hundredths(b.take()), 100u);          // as measured: one multiply a cycle
    CodeBuilder chain(0, kernel_base);
    chain.add({0x48, 0x0f, 0xaf, 0xc0}, synthetic::rax, synthetic::rax);
    EXPECT_EQ(ModelRun().steady_hundredths(chain.take()), 300u);
}

TEST(TimingModel, LoadChainTakesFourCyclesInL1) {
    CodeBuilder b(0, kernel_base);
    Instruction& load = b.add({0x48, 0x8b, 0x00}, synthetic::rax, synthetic::rax);  // mov rax, [rax]
    load.operand_count = 1;
    load.memory[0] = {.base = 0, .kind = AccessKind::load, .size = 8};
    Access one[] = {access(0, AccessKind::load, data)};
    EXPECT_EQ(ModelRun().steady_hundredths(b.take(), one), 400u);
}

TEST(TimingModel, CacheLevelsHoldWhatTheirSizeSays) {
    CodeBuilder b(0, kernel_base);
    Instruction& load = b.add({0x48, 0x8b, 0x00}, synthetic::rax, synthetic::rax);
    load.operand_count = 1;
    load.memory[0] = {.base = 0, .kind = AccessKind::load, .size = 8};
    CodeBlock code = b.take();
    // Mean latency of a chain through so many lines, in an order that no prefetcher knows; warm: after one pass.
    auto chase = [&](std::uint64_t lines, bool warm = true) {
        ModelRun run;
        run.code(code);
        std::mt19937_64 random(1);
        std::vector<std::uint64_t> order(lines);
        for (std::uint64_t i = 0; i < lines; ++i) order[i] = i;
        for (std::uint64_t i = lines; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
        Cycle start = 0;
        for (std::uint64_t i = 0; i < (warm ? 2 : 1) * lines; ++i) {
            if (warm && i == lines) start = run.model().now();
            const std::uint64_t at = order[i % lines] * 64;
            Access one[] = {{0, AccessKind::load, 8, false, 0xffff888000000000 + at, at}};
            run.once(code, one);
        }
        return (run.model().now() - start) / lines;
    };
    EXPECT_EQ(chase(512), 4u);                  // 32 KiB
    EXPECT_NEAR(chase(1024), 17, 1);            // 64 KiB, LRU: all miss in L1
    EXPECT_NEAR(chase(8192), 17, 1);            // 512 KiB
    EXPECT_NEAR(chase(65536), 50, 3);           // 4 MiB
    EXPECT_NEAR(chase(65536, false), 440, 20);  // for the first time
}

TEST(TimingModel, StoreForwardsToALoadThroughAnotherBase) {
    CodeBuilder b(0, kernel_base);
    b.store_rdi_rcx();
    Instruction& load = b.add({0x48, 0x8b, 0x0e}, synthetic::rsi, synthetic::rcx);  // mov rcx, [rsi]
    load.operand_count = 1;
    load.memory[0] = {.base = 6, .kind = AccessKind::load, .size = 8};
    Access both[] = {access(0, AccessKind::store, data), access(1, AccessKind::load, data)};
    EXPECT_EQ(ModelRun().steady_hundredths(b.take(), both), 600u);
}

TEST(TimingModel, LearnsALoopBranchAndPaysForARandomOne) {
    CodeBuilder b(0, kernel_base);
    b.add_rax_rax();
    b.jnz();
    CodeBlock code = b.take();
    std::mt19937 random(1);
    auto cost = [&](auto taken) {
        ModelRun run;
        run.code(code);
        for (int i = 0; i < 4000; ++i) run.once(code, {}, taken(i));
        Cycle before = run.model().now();
        for (int i = 0; i < 4000; ++i) run.once(code, {}, taken(i));
        return run.model().now() - before;
    };
    Cycle always = cost([](int) { return true; });
    Cycle every_third = cost([](int i) { return i % 3 != 0; });
    Cycle chance = cost([&](int) { return random() % 2 == 0; });
    EXPECT_LE(always, 4600u);       // nine eighths of a cycle each
    EXPECT_LE(every_third, 4800u);  // the history tells it
    EXPECT_GT(chance, 4000u * 9);   // half of them at about 22
    EXPECT_LT(chance, 4000u * 14);
}

TEST(TimingModel, ReturnsArePredictedByTheReturnStack) {
    CodeBuilder caller(0, kernel_base), callee(1, kernel_base + 0x100), after(2, kernel_base + 5);
    caller.add({0xe8, 0xfb, 0, 0, 0}).flow = Flow::call;
    callee.add({0xc3}).flow = Flow::ret;
    after.nop();
    CodeBlock a = caller.take(), f = callee.take(), r = after.take();
    auto cost = [&](const CodeBlock& target) {
        ModelRun run;
        for (const CodeBlock* code : {&a, &f, &r}) run.code(*code);
        auto round = [&] { run.once(a, {}, true), run.once(f, {}, true), run.once(target); };
        for (int i = 0; i < 100; ++i) round();
        Cycle before = run.model().now();
        for (int i = 0; i < 100; ++i) round();
        return (run.model().now() - before) / 100;
    };
    EXPECT_LE(cost(r), 4u);
    EXPECT_GE(cost(a), 14u);  // returns elsewhere, as a context switch does
}

TEST(TimingModel, SystemInstructionsTakeWhatTheOverlaySaysAndEstimatesCountAsGuesses) {
    const auto cpu = timing::load_cpu(default_cpu_model);
    const std::pair<Special, std::array<std::uint8_t, 2>> encoded[] = {{Special::syscall, {0x0f, 0x05}},
                                                                       {Special::wrmsr, {0x0f, 0x30}},
                                                                       {Special::rdtsc, {0x0f, 0x31}},
                                                                       {Special::pause, {0xf3, 0x90}}};
    for (const auto& [special, bytes] : encoded) {
        CodeBuilder b(0, kernel_base);
        b.special({bytes[0], bytes[1]}, special);
        const CodeBlock code = b.take();
        const timing::SystemCost& cost = *cpu->overlay.system(special, "");
        ModelRun run;
        EXPECT_EQ(run.steady_hundredths(code), cost.cycles.likely * 100u) << cost.name;
        const RetireTime last = run.once(code)[0];
        const bool guess = is_guess(cost.evidence.provenance);
        EXPECT_EQ(last.placeholder_cycles, guess ? cost.cycles.likely : 0) << cost.name;
        EXPECT_EQ(last.less, guess ? cost.cycles.likely - cost.cycles.low : 0) << cost.name;
        EXPECT_EQ(last.more, guess ? cost.cycles.high - cost.cycles.likely : 0) << cost.name;
    }
}

TEST(TimingModel, RepMoveCountsAllOfItsBlocks) {
    CodeBuilder b(0, kernel_base);
    Instruction& move = b.special({0xf3, 0xa4}, Special::string);  // rep movsb
    move.rep = true;
    const CodeBlock code = b.take();
    const auto lines = [](unsigned count) {
        std::vector<Access> list;
        for (unsigned i = 0; i < count; ++i)
            list.push_back({0, AccessKind::store, 64, false, data + 64 * i, 0x1000 + 64 * i});
        return list;
    };
    const auto cost = [&](unsigned first, unsigned last) {
        ModelRun run;
        run.code(code);
        RetireTime time[1];
        for (int round = 0; round < 2; ++round) {  // the second finds everything in the L1
            if (first) run.model().run({0, &code, 0, 0, 0, false, lines(first)}, {});
            run.model().run({0, &code, 0, 1, 0, false, lines(last)}, time);
        }
        return time[0].cycles;
    };
    EXPECT_EQ(cost(0, 64), 280u);  // 4 KiB
    EXPECT_EQ(cost(48, 16), 280u);
}

TEST(TimingModel, InstructionsThatNobodyKnowsAreCountedByName) {
    const auto model = make_model("znver4");
    CodeBuilder b(0, kernel_base);
    b.nop();
    b.add({0x0f, 0x01, 0xe0});  // smsw eax: LLVM's placeholder
    b.add({0xd9, 0xfb});        // fsincos
    b.add({0x06});              // no instruction in 64-bit code
    const CodeBlock code = b.take();
    model->on_code(code);
    EXPECT_TRUE(model->unknown().empty());
    RetireTime times[4];
    std::uint64_t placeholder = 0, cycles = 0;
    for (int i = 0; i < 3; ++i) {
        model->run({0, &code, 0, 2, 0, false, {}}, std::span(times).first(2));
        model->run({0, &code, 2, 2, 0, false, {}}, std::span(times).subspan(2));
        for (const RetireTime& time : times) {
            cycles += time.cycles;
            placeholder += time.guess == Provenance::placeholder ? time.placeholder_cycles : 0;
        }
    }
    EXPECT_GT(placeholder, 100u);
    EXPECT_LT(placeholder, cycles);
    std::string text;
    for (const UnknownInstruction& one : model->unknown()) text += one.opcode + " " + std::to_string(one.count) + " ";
    EXPECT_EQ(text, "(no instruction) 3 FSINCOS 3 SMSW32r 3 ");
}

TEST(TimingModel, MissesAreToldByInstruction) {
    const auto model = make_model("znver4");
    CodeBuilder b(0, kernel_base);
    b.nop();
    b.load_rax_rdi();
    b.load_rax_rdi();
    b.jnz();
    const CodeBlock code = b.take();
    model->on_code(code);
    const Access loads[] = {synthetic::access(1, AccessKind::load, kernel_base + 0x5000),
                            synthetic::access(2, AccessKind::load, kernel_base + 0x5008)};
    RetireTime times[4];
    const auto at = [](const InstructionMisses& one, Miss miss) { return one.counts[static_cast<std::size_t>(miss)]; };
    const auto first = model->run({0, &code, 0, 4, 0, false, loads}, times);
    ASSERT_GE(first.size(), 2u);
    EXPECT_EQ(first[0].instruction, 0u);
    EXPECT_EQ(at(first[0], Miss::l1_code), 1u);
    EXPECT_EQ(at(first[0], Miss::code_tlb), 1u);
    EXPECT_EQ(first[1].instruction, 1u);
    for (const Miss miss : {Miss::l1_data, Miss::l2, Miss::l3, Miss::data_tlb, Miss::page_walk})
        EXPECT_EQ(at(first[1], miss), 1u) << miss_name(miss);
    for (int i = 0; i < 20; ++i) model->run({0, &code, 0, 4, 0, false, loads}, times);
    EXPECT_TRUE(model->run({0, &code, 0, 4, 0, false, loads}, times).empty());
    const auto wrong = model->run({0, &code, 0, 4, 0, true, loads}, times);
    ASSERT_EQ(wrong.size(), 1u);
    EXPECT_EQ(wrong[0].instruction, 3u);
    EXPECT_EQ(at(wrong[0], Miss::mispredict), 1u);
}

// Bytes mean other instructions in 32-bit code: inc eax, a prefix in 64-bit code.
TEST(TimingModel, CodeOf32BitsIsDecodedAsSuch) {
    const auto model = make_model("znver4");
    CodeBuilder b(0, kernel_base);
    for (int i = 0; i < 40; ++i) b.add({0x40}).code_bits = 32;
    const CodeBlock code = b.take();
    model->on_code(code);
    RetireTime times[40];
    for (int i = 0; i < 2; ++i) model->run({0, &code, 0, 40, 0, false, {}}, times);
    EXPECT_TRUE(model->unknown().empty());
    std::uint64_t cycles = 0;
    for (const RetireTime& time : times) cycles += time.cycles;
    EXPECT_EQ(cycles, 40u);  // a chain
}

TEST(TimingModel, IdealTakesACycleAnInstruction) {
    const auto model = make_model("ideal");
    CodeBuilder b(0, kernel_base);
    b.special({0x0f, 0x05}, Special::syscall);
    const CodeBlock code = b.take();
    model->on_code(code);
    RetireTime time[1];
    model->run({0, &code, 0, 1, 0, false, {}}, time);
    EXPECT_EQ(time[0], (RetireTime{.cycles = 1, .rests = Provenance::definition}));
    EXPECT_EQ(model->transfer({}), RetireTime{});
    EXPECT_EQ(model->now(), 1u);
}

TEST(TimingModel, AStringThatComesInPiecesCostsAsMuchAsInOne) {
    CodeBuilder b(0, kernel_base);
    b.special({0xf3, 0xa4}, Special::string).rep = true;
    const CodeBlock code = b.take();
    std::vector<Access> accesses;
    for (std::uint64_t at = 0; at < 65536; at += 64) {
        accesses.push_back(access(0, AccessKind::load, data + at, 64));
        accesses.push_back(access(0, AccessKind::store, data + 0x100000 + at, 64));
    }
    const auto cost = [&](std::size_t pieces) {  // of two passes: from memory, from the second level
        ModelRun run;
        run.code(code);
        std::vector<RetireTime> time(1);
        std::vector<Cycle> cycles;
        for (int pass = 0; pass < 2; ++pass) {
            const std::span<const Access> all = accesses;
            const std::size_t piece = all.size() / pieces;
            for (std::size_t i = 0; i + 1 < pieces; ++i)
                run.model().run({0, &code, 0, 0, 0, false, all.subspan(i * piece, piece)}, {});
            run.model().run({0, &code, 0, 1, 0, false, all.subspan((pieces - 1) * piece)}, time);
            cycles.push_back(time[0].cycles);
        }
        return cycles;
    };
    const auto once = cost(1);
    EXPECT_EQ(once, cost(8));
    const auto cpu = timing::load_cpu(default_cpu_model);
    const unsigned a_line = cpu->machine.dram_latency / cpu->machine.l2_misses;  // of memory, as many at once as can be
    EXPECT_GT(once[0], 1024u * a_line);
    EXPECT_LT(once[0], 2048u * a_line * 3 / 2);
    const std::uint32_t moved = cpu->overlay.string("MOVSB", true)->cycles(65536).likely;
    EXPECT_GE(once[1], moved);
    EXPECT_LT(once[1], moved * 3 / 2);
}

TEST(TimingModel, CpusOfOneMachineShareLines) {
    CodeBuilder b(0, kernel_base);
    b.store_rdi_rcx();
    const CodeBlock code = b.take();
    auto models = make_models(default_cpu_model, 2);
    const Access store[] = {access(0, AccessKind::store, data)};
    std::vector<RetireTime> time(1);
    CodeBuilder chain(1, kernel_base + 0x100);
    Instruction& next = chain.add({0x48, 0x8b, 0x00}, synthetic::rax, synthetic::rax);  // mov rax, [rax]
    next.operand_count = 1;
    next.memory[0] = {.base = 0, .kind = AccessKind::load, .size = 8};
    const CodeBlock reader = chain.take();
    CodeBuilder pause(2, kernel_base + 0x200);
    pause.special({0xf3, 0x90}, Special::pause);
    const CodeBlock wait = pause.take();
    const Access load[] = {access(0, AccessKind::load, data)};
    for (auto& model : models)
        for (const CodeBlock* block : {&code, &reader, &wait}) model->on_code(*block);
    for (int i = 0; i < 20; ++i) {
        models[0]->run({0, &code, 0, 1, 0, false, store}, time);
        for (int k = 0; k < 10; ++k) models[0]->run({0, &wait, 0, 1, 0, false, {}}, time);  // until it is in the cache
        models[1]->run({1, &reader, 0, 1, 0, false, load}, time);
        if (i < 2) continue;  // code, page tables and the line come from memory
        EXPECT_EQ(time[0].wait, Wait::coherence) << i;
        EXPECT_EQ(time[0].cycles, 225u) << i;
        models[1]->run({1, &reader, 0, 1, 0, false, load}, time);
        EXPECT_EQ(time[0].cycles, 4u);
    }
}

TEST(TimingModel, NowIsTheSumOfAllRetireTimesWithTransfers) {
    class Adder final : public EventSink {
      public:
        std::unique_ptr<TimingModel> model = make_model(default_cpu_model);
        Cycle sum = 0, placeholder = 0;
        std::vector<RetireTime> times{max_block_instructions};
        void on_code(const CodeBlock& code) override { model->on_code(code); }
        void on_block(const Block& block) override {
            times.resize(block.count);
            model->run(block, times);
            for (const RetireTime& time : times) add(time);
        }
        void on_input(const Input&) override {}
        void on_control(const Control&) override {}
        void on_transfer(const Transfer& transfer) override { add(model->transfer(transfer)); }
        void on_halt(const Halt&) override {}
        void add(RetireTime time) {
            sum += time.cycles;
            placeholder += time.placeholder_cycles;
            EXPECT_LE(time.placeholder_cycles, time.cycles);
        }
    };
    Adder first, second;
    synthetic::RandomProgram(7).run(first, 200000);
    synthetic::RandomProgram(7).run(second, 200000);
    EXPECT_EQ(first.model->now(), first.sum);
    EXPECT_EQ(first.sum, second.sum);
    EXPECT_EQ(first.placeholder, second.placeholder);
    EXPECT_GT(first.sum, 20000u);
    EXPECT_GT(first.placeholder, 0u);
}

// A line that another CPU wrote is as far as the two CPUs are, which nobody has said: totals carry the range.
TEST(TimingModel, ALineOfAnotherCpuCarriesTheRangeOfPlacements) {
    const timing::Machine machine = timing::load_cpu(default_cpu_model)->machine;
    CodeBuilder stores(0, kernel_base), loads(1, kernel_base + 0x100), adds(2, kernel_base + 0x200);
    stores.store_rdi_rcx(), loads.load_rax_rdi();
    for (int i = 0; i < 50; ++i) adds.add_rax_rax();
    const CodeBlock store = stores.take(), load = loads.take(), chain = adds.take();
    const auto models = make_models(default_cpu_model, 2);
    for (const auto& model : models)
        for (const CodeBlock* code : {&store, &load, &chain}) model->on_code(*code);
    std::vector<RetireTime> time(1), times(50);
    const Access stored = access(0, AccessKind::store, data), loaded = access(0, AccessKind::load, data);
    for (unsigned pass = 0; pass < 4; ++pass) {  // translations and lines are known then
        for (int i = 0; i < 100; ++i)
            for (const auto& model : models) model->run({0, &chain, 0, 50, 0, false, {}}, times);
        models[0]->run({0, &store, 0, 1, 0, false, {&stored, 1}}, time);
        models[1]->run({1, &load, 0, 1, 0, false, {&loaded, 1}}, time);
    }
    EXPECT_EQ(time[0].wait, Wait::coherence);
    EXPECT_LE(time[0].cycles, machine.transfer_near);  // a part of it beside the additions
    EXPECT_GT(time[0].cycles, machine.transfer_near - machine.transfer_smt);
    EXPECT_EQ(time[0].less, machine.transfer_near - machine.transfer_smt);
    EXPECT_EQ(time[0].more, machine.transfer_far - machine.transfer_near);
    EXPECT_GE(time[0].placeholder_cycles, time[0].less);
}

}  // namespace
