// SPDX-License-Identifier: GPL-2.0-or-later
// What the front end knows of branches: TAGE's idea for directions (Seznec and Michaud, JILP 8, 2006: tables of tagged
// counters, each with a longer history than the one before; the longest that knows the branch decides), target buffers
// of two sizes, a return stack, and targets by history for indirect branches. Trained at once with the outcome: an
// engine executes no wrong path. Histories are hashed by multiplication rather than folded step by step.
#pragma once
#include <array>
#include <cstdint>
#include <sim/timing/cache.hpp>
#include <sim/timing/machine.hpp>
#include <vector>

namespace sim {

class BranchPredictor {
  public:
    explicit BranchPredictor(const timing::Machine& machine)
        : machine_(machine),
          first_targets_(machine.l1_branch_targets, machine.l1_branch_target_ways),
          second_targets_(machine.l2_branch_targets, machine.l2_branch_target_ways),
          returns_(std::max(machine.return_stack, 1u)) {
        bimodal_.fill(1);
    }

    // Whether the direction was predicted.
    bool conditional(std::uint64_t address, bool taken) {
        const std::uint64_t pc = hash(address);
        std::uint8_t& base = bimodal_[pc % bimodal_.size()];
        Entry* places[tables];
        std::uint16_t tags[tables];
        int provider = -1;
        bool alternative = base >= 2, predicted = alternative;
        for (int i = 0; i < tables; ++i) {
            const std::uint64_t mixed = mix(pc, i);
            places[i] = &entries_[static_cast<std::size_t>(i)][mixed >> 20 & (table_entries - 1)];
            tags[i] = static_cast<std::uint16_t>(mixed >> 40 | 1);
            if (places[i]->tag != tags[i]) continue;
            provider = i, alternative = predicted, predicted = places[i]->counter >= 0;
        }
        // A new entry has not shown yet that it knows better.
        const bool weak = provider >= 0 && !places[provider]->useful && unsigned(places[provider]->counter + 1) < 2;
        const bool right = (weak ? alternative : predicted) == taken;
        if (provider >= 0) train(*places[provider], taken, predicted, alternative);
        if (provider < 0 || weak) base = static_cast<std::uint8_t>(taken ? base + (base < 3) : base - (base > 0));
        if (predicted != taken) allocate(places, tags, provider, taken);
        push(taken);
        return right;
    }

    // Cycles in which the front end has nothing, until it knows where a taken branch goes: none if the target is in the
    // first buffer. Two branches of a line share an entry, as they do if they are 32 bytes apart or less.
    unsigned bubble(std::uint64_t address) {
        const std::uint64_t key = address >> 5 & Cache::line_mask;
        if (first_targets_.touch(key)) return 0;
        return second_targets_.touch(key) ? machine_.l2_target_bubble : machine_.decode_bubble;
    }

    // Whether the target of an indirect jump or call was predicted.
    bool indirect(std::uint64_t address, std::uint64_t target) {
        const std::uint64_t pc = hash(address), mixed = (pc ^ path_) * 0x9e3779b97f4a7c15ull;
        Target& by_path = targets_by_path_[mixed >> 52 & (targets_by_path_.size() - 1)];
        Target& last = targets_[pc % targets_.size()];
        const std::uint64_t tag = address ^ path_ << 1;
        const bool known = by_path.key == tag;
        const std::uint64_t guess = known ? by_path.target : last.key == address ? last.target : 0;
        if (known || guess != target) by_path = {tag, target};
        last = {address, target};
        path_ = (path_ << 7 ^ hash(target)) & 0xffffffffff;
        push(target >> 4 & 1), push(target >> 6 & 1);
        return guess == target;
    }

    void call(std::uint64_t return_address) {
        top_ = top_ + 1 == returns_.size() ? 0 : top_ + 1;
        returns_[top_] = return_address;
        depth_ += depth_ < returns_.size();  // full: the oldest is lost
    }
    // An empty stack leaves it to the indirect predictor.
    bool ret(std::uint64_t address, std::uint64_t target) {
        if (!depth_) return indirect(address, target);
        --depth_;
        const bool right = returns_[top_] == target;
        top_ = top_ ? top_ - 1 : static_cast<std::uint32_t>(returns_.size()) - 1;
        return right;
    }

  private:
    static constexpr int tables = 5;
    static constexpr std::size_t table_entries = 1024;
    struct Entry {
        std::uint16_t tag = 0;
        std::int8_t counter = 0;  // -4..3, taken from 0 on
        std::uint8_t useful = 0;
    };
    struct Target {
        std::uint64_t key = 0, target = 0;
    };

    static std::uint64_t hash(std::uint64_t address) { return (address ^ address >> 13 ^ address >> 27) & 0xffffffff; }
    // The branch with the last 5, 12, 27, 64 or 128 outcomes.
    std::uint64_t mix(std::uint64_t pc, int table) const {
        static constexpr std::uint64_t masks[tables] = {0x1f, 0xfff, 0x7ffffff, ~0ull, ~0ull};
        std::uint64_t mixed = (recent_ & masks[table]) * 0x9e3779b97f4a7c15ull;
        if (table == tables - 1) mixed ^= older_ * 0xd6e8feb86659fd93ull;
        mixed = (mixed ^ mixed >> 32 ^ pc) * 0xff51afd7ed558ccdull;
        return mixed ^ mixed >> 29;
    }
    void push(bool bit) {
        older_ = older_ << 1 | recent_ >> 63;
        recent_ = recent_ << 1 | std::uint64_t{bit};
    }
    static void train(Entry& entry, bool taken, bool predicted, bool alternative) {
        if (taken) entry.counter = static_cast<std::int8_t>(entry.counter + (entry.counter < 3));
        else entry.counter = static_cast<std::int8_t>(entry.counter - (entry.counter > -4));
        if (predicted == alternative) return;
        if (predicted == taken) entry.useful += entry.useful < 3;
        else entry.useful -= entry.useful > 0;
    }
    // A longer history may know better: the first such entry that is of no use to another branch.
    static void allocate(Entry** places, const std::uint16_t* tags, int provider, bool taken) {
        for (int i = provider + 1; i < tables; ++i) {
            if (!places[i]->useful) {
                *places[i] = {tags[i], static_cast<std::int8_t>(taken ? 0 : -1), 0};
                return;
            }
            --places[i]->useful;
        }
    }

    const timing::Machine machine_;
    std::array<std::uint8_t, 8192> bimodal_;
    std::array<std::array<Entry, table_entries>, tables> entries_{};
    Cache first_targets_, second_targets_;
    std::array<Target, 1024> targets_{};
    std::array<Target, 2048> targets_by_path_{};
    std::vector<std::uint64_t> returns_;
    std::uint32_t top_ = 0, depth_ = 0;
    std::uint64_t recent_ = 0, older_ = 0;  // directions, the last in bit 0
    std::uint64_t path_ = 0;                // targets of indirect branches
};

}  // namespace sim
