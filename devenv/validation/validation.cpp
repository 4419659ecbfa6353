// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/validation.hpp>
#include <stdexcept>

namespace devenv {

namespace {

constexpr auto predictors = static_cast<std::size_t>(Predictor::count_);

template <typename Belongs>
Group group_of(const std::vector<Compared>& blocks, std::string name, Belongs belongs) {
    Group group;
    group.name = std::move(name);
    for (std::size_t i = 0; i < predictors; ++i) {
        std::vector<Pair> pairs;
        for (const Compared& block : blocks)
            if (belongs(block) && block.cycles[i] > 0) pairs.push_back({block.sample->measured, block.cycles[i]});
        group.accuracy[i] = accuracy(pairs);
    }
    return group;
}

std::vector<Group> groups_of(const std::vector<Compared>& blocks) {
    std::vector<Group> groups = {group_of(blocks, "all", [](const Compared&) { return true; })};
    for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Category::count_); ++i) {
        const auto category = static_cast<Category>(i);
        for (const bool memory : {false, true}) {
            Group group = group_of(blocks, std::string(category_name(category)) + (memory ? " with memory" : ""),
                                   [&](const Compared& block) {
                                       return block.facts.category == category && block.facts.memory == memory;
                                   });
            if (group.of(Predictor::exo).count) groups.push_back(std::move(group));
        }
    }
    return groups;
}

void ask_mca(Comparison& comparison) {
    std::vector<std::vector<std::string>> texts;
    for (const Compared& block : comparison.blocks) texts.push_back(block.facts.text_att);
    const McaAnswer answer = ask_llvm_mca(texts, comparison.cpu);
    comparison.mca_version = answer.version;
    comparison.mca_missing = answer.missing;
    for (std::size_t i = 0; i < answer.cycles.size(); ++i)
        comparison.blocks[i].cycles[static_cast<std::size_t>(Predictor::llvm_mca)] = answer.cycles[i];
}

}  // namespace

std::string_view predictor_name(Predictor predictor) {
    constexpr std::array names = {"exo", "llvm-mca", "naive"};
    return names[static_cast<std::size_t>(predictor)];
}

std::vector<const Compared*> Comparison::worst(std::size_t count) const {
    std::vector<const Compared*> order;
    for (const Compared& block : blocks) order.push_back(&block);
    std::stable_sort(order.begin(), order.end(),
                     [](const Compared* a, const Compared* b) { return a->error() > b->error(); });
    order.resize(std::min(order.size(), count));
    return order;
}

std::vector<BlockFacts> examine(SampleSet& set, BlockModel& model, bool to_measure) {
    std::vector<BlockFacts> all;
    for (Sample& sample : set.samples) {
        all.emplace_back();
        if (!sample.excluded.empty()) continue;
        all.back() = model.facts(sample.code);
        if (!all.back().undecodable.empty()) sample.excluded = all.back().undecodable;
        else if (to_measure && !all.back().not_measured.empty())
            sample.excluded = "not measured: " + all.back().not_measured;
    }
    return all;
}

Comparison compare(const SampleSet& set, std::vector<BlockFacts> facts, BlockModel& model, bool with_mca) {
    Comparison comparison;
    comparison.name = set.name;
    comparison.cpu = model.cpu();
    comparison.patterns = set.patterns;
    for (std::size_t i = 0; i < set.samples.size(); ++i) {
        if (stop_requested()) throw Failure(Exit::interrupted, "interrupted");
        const Sample& sample = set.samples[i];
        std::string why = sample.excluded.empty() ? facts[i].not_modelled : sample.excluded;
        Compared block{&sample, std::move(facts[i]), {}, {}};
        try {
            if (why.empty()) {
                const Prediction prediction = model.predict(sample.code);
                if (!prediction.known) why = "an instruction without timing data";
                else if (prediction.cycles <= 0) why = "takes no time in the model";
                block.cycles[static_cast<std::size_t>(Predictor::exo)] = prediction.cycles;
            }
            if (why.empty()) block.cycles[static_cast<std::size_t>(Predictor::naive)] = model.naive(sample.code);
        } catch (const std::runtime_error& error) {
            why = error.what();
        }
        if (!why.empty()) {
            comparison.uncovered.push_back({&sample, why});
            continue;
        }
        constexpr double worth_a_word = 0.1;
        if (block.error() > worth_a_word)
            block.cause =
                suspected_cause(block.facts, sample.measured, block.of(Predictor::exo), block.of(Predictor::naive));
        comparison.blocks.push_back(std::move(block));
    }
    if (with_mca) ask_mca(comparison);
    comparison.groups = groups_of(comparison.blocks);
    return comparison;
}

}  // namespace devenv
