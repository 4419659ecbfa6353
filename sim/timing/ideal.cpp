// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/timing/ideal.hpp>

namespace sim::timing {

namespace {

class IdealModel final : public TimingModel {
  public:
    explicit IdealModel(const Cpu& cpu) : cpu_(cpu.name), describes_(cpu.describes) {}

    std::string name() const override { return "ideal"; }
    std::string cpu() const override { return cpu_; }
    std::string description() const override { return describes_; }
    void on_code(const CodeBlock&) override {}
    std::span<const InstructionMisses> run(const Block& block, std::span<RetireTime> out,
                                           std::span<InstructionTimes> details) override {
        for (std::uint32_t i = 0; i < block.count; ++i) {
            out[i] = {.cycles = 1, .rests = Provenance::definition};
            ++now_;
            if (!details.empty())
                details[i] = {now_ - 1, now_ - 1, now_ - 1, now_, now_, Wait::none, Provenance::definition, 0};
        }
        return {};
    }
    RetireTime transfer(const Transfer&) override { return {}; }
    Cycle now() const override { return now_; }

  private:
    std::string cpu_, describes_;
    Cycle now_ = 0;
};

}  // namespace

std::unique_ptr<TimingModel> make_ideal_model(const Cpu& cpu) { return std::make_unique<IdealModel>(cpu); }

}  // namespace sim::timing
