// SPDX-License-Identifier: GPL-2.0-or-later
// A tournament of bimodal and gshare counters for directions, a last-target buffer for indirect branches, a return
// stack. Trained at once with the outcome: an engine executes no wrong path.
#pragma once
#include <array>
#include <cstdint>

namespace sim {

class BranchPredictor {
  public:
    BranchPredictor() {
        bimodal_.fill(1);
        gshare_.fill(1);
        chooser_.fill(2);
    }

    // Whether the direction was predicted.
    bool conditional(std::uint64_t address, bool taken) {
        std::uint32_t pc = hash(address);
        std::uint8_t& local = bimodal_[pc % bimodal_.size()];
        std::uint8_t& global = gshare_[(pc ^ history_) % gshare_.size()];
        std::uint8_t& choice = chooser_[pc % chooser_.size()];
        bool local_right = (local >= 2) == taken, global_right = (global >= 2) == taken;
        bool right = choice >= 2 ? global_right : local_right;
        if (local_right != global_right) train(choice, global_right);
        train(local, taken);
        train(global, taken);
        history_ = history_ << 1 | taken;
        return right;
    }

    bool indirect(std::uint64_t address, std::uint64_t target) {
        Target& entry = targets_[hash(address) % targets_.size()];
        bool right = entry.address == address && entry.target == target;
        entry = {address, target};
        return right;
    }

    void call(std::uint64_t return_address) { returns_[++top_ % returns_.size()] = return_address; }
    bool ret(std::uint64_t target) { return returns_[top_-- % returns_.size()] == target; }

  private:
    struct Target {
        std::uint64_t address = 0, target = 0;
    };

    static std::uint32_t hash(std::uint64_t address) {
        return static_cast<std::uint32_t>(address ^ address >> 13 ^ address >> 27);
    }
    static void train(std::uint8_t& counter, bool up) {
        if (up) counter += counter < 3;
        else counter -= counter > 0;
    }

    std::array<std::uint8_t, 4096> bimodal_;
    std::array<std::uint8_t, 16384> gshare_;
    std::array<std::uint8_t, 4096> chooser_;
    std::array<Target, 1024> targets_{};
    std::array<std::uint64_t, 32> returns_{};
    std::uint32_t top_ = 0;
    std::uint32_t history_ = 0;
};

}  // namespace sim
