// SPDX-License-Identifier: GPL-2.0-or-later
// A block as the validation sees it: what it is made of, whether it can be timed and measured at all, what the timing
// model and a naive one predict for it, and what may be wrong where they are.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace devenv {

// The widest registers' instruction set in the block.
enum class Category : std::uint8_t { integer, sse, avx, avx512, count_ };
std::string_view category_name(Category);

struct BlockFacts {
    std::string undecodable;   // why it is no block at all ("no instruction at byte 3"); the rest is empty then
    std::string not_modelled;  // why the model does not cover it: branches, system instructions
    std::string not_measured;  // why it must not or cannot be run natively
    Category category = Category::integer;
    bool memory = false;
    unsigned instructions = 0;
    std::vector<std::string> text;        // Intel syntax
    std::vector<std::string> text_att;    // for llvm-mca
    std::vector<std::string> suspicious;  // what it contains that models tend to get wrong, worst first
};

struct Prediction {
    double cycles = 0;
    bool known = true;  // false: an instruction's cost is nowhere in the data
};

class BlockModel {
  public:
    // `cpu`: by name. Throws Failure (usage) if there is no such CPU.
    explicit BlockModel(const std::string& cpu);
    ~BlockModel();

    const std::string& cpu() const;
    BlockFacts facts(std::span<const std::uint8_t>);
    Prediction predict(std::span<const std::uint8_t>);  // throws std::runtime_error for what cannot be decoded
    // max(instructions / 6, the longest chain of dependences through registers), with textbook latencies.
    double naive(std::span<const std::uint8_t>);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

// What is likely wrong, in a few words: `limit` is what the naive model says bounds the block.
std::string suspected_cause(const BlockFacts&, double measured, double predicted, double naive);

// The name of the CPU file for this machine's CPU, empty if none fits; and how the machine calls itself.
struct NativeCpu {
    std::string name, brand;
    unsigned family = 0, model = 0;
    bool emulated_or_virtual = false;  // CPUID announces a hypervisor
};
NativeCpu native_cpu();

}  // namespace devenv
