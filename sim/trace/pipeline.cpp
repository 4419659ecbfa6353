// SPDX-License-Identifier: GPL-2.0-or-later
// Each event once through the model, the profile and the writer.
#include <array>
#include <sim/trace/profile.hpp>
#include <sim/trace/trace.hpp>
#include <utility>
#include <vector>

namespace sim {
namespace {

class Pipeline final : public EventSink {
  public:
    Pipeline(std::vector<TimingModel*> models, Profile* profile, TraceWriter* writer)
        : models_(std::move(models)), profile_(profile), writer_(writer) {}

    void on_code(const CodeBlock& code) override {
        for (TimingModel* model : models_) model->on_code(code);
        if (profile_) profile_->on_code(code);
        if (writer_) writer_->on_code(code);
    }
    void on_block(const Block& block) override {
        std::span<RetireTime> times = std::span(times_).first(block.count);
        const std::span<const InstructionMisses> misses = models_[block.cpu]->run(block, times);
        if (profile_) profile_->on_block(block, times, misses);
        if (writer_) writer_->on_block(block, times);
    }
    void on_input(const Input& input) override {
        if (writer_) writer_->on_input(input);
    }
    void on_control(const Control& control) override {
        models_[control.cpu]->on_control(control);
        if (writer_) writer_->on_control(control);
    }
    void on_transfer(const Transfer& transfer) override {
        RetireTime time = models_[transfer.cpu]->transfer(transfer);
        if (profile_) profile_->on_transfer(transfer, time);
        if (writer_) writer_->on_transfer(transfer, time);
    }
    void on_halt(const Halt& halt) override {
        if (writer_) writer_->on_halt(halt);
    }

  private:
    std::vector<TimingModel*> models_;  // by CPU
    Profile* profile_;
    TraceWriter* writer_;
    std::array<RetireTime, max_block_instructions> times_{};
};

}  // namespace

std::unique_ptr<EventSink> make_pipeline(TimingModel& model, Profile* profile, TraceWriter* writer) {
    return std::make_unique<Pipeline>(std::vector{&model}, profile, writer);
}

std::unique_ptr<EventSink> make_pipeline(std::vector<TimingModel*> models, Profile* profile, TraceWriter* writer) {
    return std::make_unique<Pipeline>(std::move(models), profile, writer);
}

}  // namespace sim
