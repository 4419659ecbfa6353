// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's translation blocks, told in the stream, as the code blocks of sim/events.hpp. QEMU ends a block where it
// likes, and translates the same code again with other ends.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <sim/events.hpp>
#include <sim/image/code_blocks.hpp>
#include <sim/image/decoder.hpp>
#include <span>
#include <utility>
#include <vector>

namespace sim::qemu {

// A part of a translation block that is one code block's beginning.
struct Piece {
    const CodeBlock* code;
    std::uint32_t start;  // index in the translation block of its first instruction
    std::uint32_t count;  // its instructions in the translation block
};

struct TranslationBlock {
    std::uint64_t address = 0;
    std::uint32_t count = 0;  // instructions
    std::vector<Piece> pieces;
    std::vector<const Instruction*> instructions;
    std::vector<std::uint16_t> descriptor_loads;  // the instructions that read a descriptor table, which is no operand
    std::vector<std::uint64_t> record;            // until it is executed for the first time
};

class TranslatedCode {
  public:
    // `low_ram_bytes`: what of QEMU's RAM is below the hole for devices; the rest is from 4 GiB up.
    explicit TranslatedCode(std::uint64_t low_ram_bytes);  // throws what Decoder::make throws

    // The words of a `code` record without the first. Throws EngineError if they make no sense.
    void add(std::span<const std::uint64_t> record);
    // The block of this number, decoded; `fresh` is called for each code block that was not known.
    template <typename Fresh>
    const TranslationBlock& at(std::uint32_t number, Fresh fresh) {
        TranslationBlock& block = known(number);
        if (!block.record.empty()) [[unlikely]] {
            decode(block);
            const std::deque<CodeBlock>& all = *code_blocks_.all();
            for (; announced_ < all.size(); ++announced_) fresh(all[announced_]);
        }
        return block;
    }
    // The code blocks, for those who refer to them longer.
    std::shared_ptr<std::deque<CodeBlock>> blocks() const { return code_blocks_.all(); }

  private:
    TranslationBlock& known(std::uint32_t number);
    void decode(TranslationBlock&);
    std::vector<Instruction> decode_all(std::uint64_t address, std::span<const std::uint8_t> lengths,
                                        std::span<const std::uint8_t> bytes, std::uint8_t width);
    static std::pair<std::vector<Instruction>, std::size_t> decode_in(Decoder&, std::uint64_t address,
                                                                      std::span<const std::uint8_t> lengths,
                                                                      std::span<const std::uint8_t> bytes);
    std::uint64_t physical(std::uint64_t ram_address) const;

    std::uint64_t low_ram_bytes_;
    std::array<std::unique_ptr<Decoder>, 3> decoders_;  // for 64, 32 and 16-bit code
    std::deque<TranslationBlock> translations_;         // by number
    CodeBlocks code_blocks_;
    std::size_t announced_ = 0;  // of them
};

}  // namespace sim::qemu
