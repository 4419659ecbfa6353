// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <numeric>
#include <sim/engine.hpp>
#include <sim/image/block_ends.hpp>
#include <sim/qemu/stream.hpp>
#include <sim/qemu/translated_code.hpp>
#include <utility>

namespace sim::qemu {

namespace {
constexpr std::uint64_t page_bytes = 4096, above_hole = 4ull << 30;
constexpr std::size_t record_head = 4, most_instructions = 512;
constexpr std::array<CodeMode, 3> modes = {CodeMode{64, 64}, CodeMode{32, 32}, CodeMode{16, 16}};
constexpr std::size_t code64 = 0, code32 = 1, code16 = 2;
// By stream::CodeWidth.
constexpr std::array<std::array<std::size_t, 3>, 3> modes_to_try = {
    {{code64, code32, code16}, {code32, code16, code32}, {code16, code32, code16}}};

[[noreturn]] void broken(const char* what) {
    throw EngineError(std::string("the stream from QEMU is broken: ") + what + "; please report this");
}
}  // namespace

TranslatedCode::TranslatedCode(std::uint64_t low_ram_bytes) : low_ram_bytes_(low_ram_bytes) {
    for (std::size_t i = 0; i < modes.size(); ++i) decoders_[i] = Decoder::make(modes[i]);
}

void TranslatedCode::add(std::span<const std::uint64_t> record) {
    if (record.size() < record_head || std::uint32_t(record[0]) != translations_.size()) broken("a block out of order");
    const auto count = std::uint32_t(record[0] >> 32 & 0xffff);
    if (count == 0 || count > most_instructions || record.size() < record_head + (count + 7) / 8)
        broken("a block of impossible size");
    TranslationBlock& block = translations_.emplace_back();
    block.address = record[1];
    block.count = count;
    block.record.assign(record.begin(), record.end());
}

TranslationBlock& TranslatedCode::known(std::uint32_t number) {
    if (number >= translations_.size()) broken("a block that was not told runs");
    return translations_[number];
}

std::uint64_t TranslatedCode::physical(std::uint64_t ram_address) const {
    if (ram_address == stream::unknown_address || ram_address < low_ram_bytes_) return ram_address;
    return ram_address - low_ram_bytes_ + above_hole;
}

void TranslatedCode::decode(TranslationBlock& block) {
    const std::vector<std::uint64_t> record = std::exchange(block.record, {});
    const auto* lengths = reinterpret_cast<const std::uint8_t*>(record.data() + record_head);
    const std::size_t padded = (block.count + 7) / 8 * 8;
    const std::size_t size = std::accumulate(lengths, lengths + block.count, std::size_t{0});
    if (record_head * 8 + padded + size > record.size() * 8) broken("a block without its bytes");
    const std::span<const std::uint8_t> bytes(lengths + padded, size);
    const std::vector<Instruction> all =
        decode_all(block.address, {lengths, block.count}, bytes, std::uint8_t(record[0] >> 48));

    std::size_t start = 0, offset = 0;
    while (start < all.size()) {
        const std::uint64_t page = all[start].address & -page_bytes;
        std::size_t end = start, length = 0;
        while (end < all.size() && end - start < max_block_instructions && (all[end].address & -page_bytes) == page) {
            length += all[end].length;
            if (ends_code_block(all[end++])) break;
        }
        const bool first_page = page == (block.address & -page_bytes);
        const std::uint64_t physical_address = first_page ? physical(record[2]) + (all[start].address - block.address)
                                                          : physical(record[3]) + all[start].address % page_bytes;
        const CodeBlock& code = code_blocks_.find_or_make({all.data() + start, end - start},
                                                          bytes.subspan(offset, length), physical_address);
        block.pieces.push_back({&code, std::uint32_t(start), std::uint32_t(end - start)});
        for (std::size_t i = 0; i < end - start; ++i) {
            const Instruction& instruction = code.instructions[i];
            block.instructions.push_back(&instruction);
            if (loads_descriptor(instruction,
                                 {code.bytes.data() + (instruction.address - code.address), instruction.length}))
                block.descriptor_loads.push_back(std::uint16_t(start + i));
        }
        start = end;
        offset += length;
    }
}

// Which of 64, 32 or 16 bits the code segment has is not told. Outside long mode it is not 64; beyond that it is the
// first in which the instructions are as long as QEMU found them, else the one that fits best.
std::vector<Instruction> TranslatedCode::decode_all(std::uint64_t address, std::span<const std::uint8_t> lengths,
                                                    std::span<const std::uint8_t> bytes, std::uint8_t width) {
    std::vector<Instruction> best;
    std::size_t best_known = 0;
    for (const std::size_t mode : modes_to_try[std::min<std::size_t>(width, 2)]) {
        const auto [all, known] = decode_in(*decoders_[mode], address, lengths, bytes);
        if (best.empty() || known > best_known) best = all, best_known = known;
        if (known == lengths.size()) break;
    }
    return best;
}

// And how many of them are instructions in this mode. What is none, QEMU will raise #UD for, or knows it.
std::pair<std::vector<Instruction>, std::size_t> TranslatedCode::decode_in(Decoder& decoder, std::uint64_t address,
                                                                           std::span<const std::uint8_t> lengths,
                                                                           std::span<const std::uint8_t> bytes) {
    std::vector<Instruction> all;
    std::size_t offset = 0, known = 0;
    for (const std::uint8_t length : lengths) {
        const auto decoded = decoder.decode(bytes.subspan(offset, length), address + offset);
        if (decoded && decoded->length == length) {
            all.push_back(*decoded);
            ++known;
        } else {
            Instruction unknown{};
            unknown.address = address + offset;
            unknown.length = length;
            unknown.special = Special::ud;
            all.push_back(unknown);
        }
        offset += length;
    }
    return {std::move(all), known};
}

}  // namespace sim::qemu
