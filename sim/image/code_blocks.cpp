// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/image/code_blocks.hpp>

namespace sim {

const CodeBlock& CodeBlocks::find_or_make(std::span<const Instruction> instructions,
                                          std::span<const std::uint8_t> bytes, std::uint64_t physical_address) {
    std::vector<const CodeBlock*>& here = at_[{instructions.front().address, physical_address}];
    for (const CodeBlock* code : here) {
        if (code->bytes.size() >= bytes.size() && code->instructions.size() >= instructions.size() &&
            std::equal(bytes.begin(), bytes.end(), code->bytes.begin()) &&
            code->instructions.front().code_bits == instructions.front().code_bits &&
            code->instructions[instructions.size() - 1].address == instructions.back().address)
            return *code;
    }
    CodeBlock& code = all_->emplace_back();
    code.id = CodeId(all_->size() - 1);
    code.version = std::uint32_t(here.size());
    code.address = instructions.front().address;
    code.physical_address = physical_address;
    code.instructions.assign(instructions.begin(), instructions.end());
    code.bytes.assign(bytes.begin(), bytes.end());
    here.push_back(&code);
    return code;
}

}  // namespace sim
