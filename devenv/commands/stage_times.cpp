// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/commands/stage_times.hpp>
#include <functional>
#include <utility>

namespace devenv {

StageTimes::StageTimes(std::vector<std::unique_ptr<sim::TimingModel>> models, sim::InstructionIndex from)
    : from_(from) {
    for (auto& model : models) cpus_.push_back({std::move(model), {}});
}

void StageTimes::run(const sim::Block& block) {
    Cpu& cpu = cpus_[block.cpu];
    details_.clear();
    misses_ = {};
    first_ = block.first_index;
    if (block.first_index + block.count < from_) return;
    times_.resize(block.count);
    details_.resize(block.count);
    misses_ = cpu.model->run(block, times_, details_);
    for (std::uint32_t i = 0; i < block.count; ++i)
        cpu.last.push_back({block.first_index + i, block.code, &block.code->instructions[block.first + i]});
    while (cpu.last.size() > remembered) cpu.last.pop_front();
}

std::optional<Stages> StageTimes::of(const sim::TraceRecord& record) const {
    if (record.index < first_ || record.index - first_ >= details_.size()) return std::nullopt;
    const std::size_t at = record.index - first_;
    Stages stages{details_[at], times_[at], std::nullopt, "", {}};
    if (stages.times.units) stages.units = cpus_[record.cpu].model->unit_names(stages.times.units);
    // A branch that turned out wrong when the block was reached is told with its first instruction, which it delays.
    for (const sim::InstructionMisses& one : misses_)
        if (one.instruction == at || (at == 0 && one.instruction == sim::InstructionMisses::before))
            std::ranges::transform(stages.misses, one.counts, stages.misses.begin(), std::plus());
    // The block's own instructions are the last ones: `behind` of them came after this one.
    const auto& last = cpus_[record.cpu].last;
    const std::size_t behind = details_.size() - 1 - at + stages.times.on;
    if (stages.times.on && behind < last.size()) stages.producer = last[last.size() - 1 - behind];
    return stages;
}

sim::TraceVisitor StageTimes::before(sim::TraceVisitor next) {
    sim::TraceVisitor v = next;
    v.code = [this, next](const sim::CodeBlock& code) {
        for (Cpu& cpu : cpus_) cpu.model->on_code(code);
        return !next.code || next.code(code);
    };
    v.block = [this, next](const sim::Block& block, std::span<const sim::RetireTime> times, sim::Cycle cycle) {
        run(block);
        return !next.block || next.block(block, times, cycle);
    };
    v.transfer_time = [this, next](const sim::Transfer& transfer, sim::RetireTime time) {
        if (transfer.index >= from_) cpus_[transfer.cpu].model->transfer(transfer);
        return !next.transfer_time || next.transfer_time(transfer, time);
    };
    v.control = [this, next](const sim::Control& control, sim::Cycle cycle) {
        if (control.index >= from_) cpus_[control.cpu].model->on_control(control);
        return !next.control || next.control(control, cycle);
    };
    return v;
}

}  // namespace devenv
