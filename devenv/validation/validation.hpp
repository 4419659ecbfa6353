// SPDX-License-Identifier: GPL-2.0-or-later
// The timing model beside measurements: what each predictor says of each block, and how far off it is, in all and by
// category.
#pragma once
#include <array>
#include <devenv/validation/block_model.hpp>
#include <devenv/validation/llvm_mca.hpp>
#include <devenv/validation/samples.hpp>
#include <devenv/validation/statistics.hpp>
#include <functional>
#include <string>
#include <vector>

namespace devenv {

enum class Predictor : std::uint8_t { exo, llvm_mca, naive, count_ };
std::string_view predictor_name(Predictor);

struct Compared {
    const Sample* sample;
    BlockFacts facts;
    std::array<double, static_cast<std::size_t>(Predictor::count_)> cycles{};  // 0: no answer
    std::string cause;  // what may be wrong, where our model is off by more than a tenth

    double of(Predictor predictor) const { return cycles[static_cast<std::size_t>(predictor)]; }
    double error() const { return relative_error({sample->measured, of(Predictor::exo)}); }
};

struct Excluded {
    const Sample* sample;
    std::string why;
};

struct Group {
    std::string name;  // "all", "integer", "SSE with memory", ...
    std::array<Accuracy, static_cast<std::size_t>(Predictor::count_)> accuracy{};
    const Accuracy& of(Predictor predictor) const { return accuracy[static_cast<std::size_t>(predictor)]; }
};

// Of one set of samples, which outlives it.
struct Comparison {
    std::string name, cpu;
    std::vector<Compared> blocks;     // in the set's order
    std::vector<Excluded> uncovered;  // by the model, or not measured
    std::vector<Group> groups;        // the first is "all"
    std::string mca_version, mca_missing;
    bool patterns = false;

    const Group& all() const { return groups.front(); }
    std::vector<const Compared*> worst(std::size_t count) const;
};

// Excludes samples that are no code, and those that must not run here when they are to be measured; returns the facts
// of each sample.
std::vector<BlockFacts> examine(SampleSet&, BlockModel&, bool to_measure);

// `with_mca`: ask llvm-mca too, if it is installed. Blocks for seconds a thousand blocks. Throws Failure (interrupted).
Comparison compare(const SampleSet&, std::vector<BlockFacts>, BlockModel&, bool with_mca);

}  // namespace devenv
