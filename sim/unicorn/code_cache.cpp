// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/code_cache.hpp>

#include <algorithm>
#include <sim/image/block_ends.hpp>
#include <sim/unicorn/opcode_bytes.hpp>

namespace sim::unicorn {

namespace {
constexpr unsigned longest_instruction = 15;

// What the hook does something about, before or after the instruction executes.
bool needs_attention(const Instruction& instruction, const CodeBlock& code) {
    if (instruction.rep) return true;
    const std::uint64_t offset = instruction.address - code.address;
    if (instruction.special == Special::plain && offset + instruction.length <= code.bytes.size() &&
        is_idiv32(&code.bytes[offset], instruction.code_bits))
        return true;
    switch (instruction.special) {
        case Special::hlt:
        case Special::in:
        case Special::out:
        case Special::rdmsr:
        case Special::wrmsr:
        case Special::mov_to_cr:
        case Special::invlpg:
        case Special::syscall:
        case Special::sysret:
        case Special::iret:
        case Special::int_n:
        case Special::int3:
        case Special::sti:
        case Special::mov_ss:
        case Special::popf:
        case Special::pause:
        case Special::rdtsc:
        case Special::rdtscp:
        case Special::rdrand:
        case Special::unsupported:
            return true;
        default:
            return false;
    }
}

// After these an interrupt may be taken that was not before, or may not: the next instruction is looked at, too.
bool changes_interruptibility(const Instruction& instruction) {
    return instruction.special == Special::sti || instruction.special == Special::mov_ss ||
           instruction.special == Special::popf;
}
}  // namespace

CodeCache::CodeCache(Memory& memory)
    : memory_(memory), code_pages_(memory.bytes() / page_bytes), engine_pages_(memory.bytes() / page_bytes) {
    decoder({});
}

Decoder& CodeCache::decoder(CodeMode mode) {
    const unsigned index = mode.bits == 64 ? 0 : 1 + (mode.bits == 32) + 2 * (mode.stack_bits == 32);
    if (!decoders_[index]) decoders_[index] = Decoder::make(mode);
    return *decoders_[index];
}

CodeCache::Place CodeCache::find_slowly(AddressSpace& space, const Key& key, std::uint32_t fetched_bytes,
                                        std::uint16_t cpu_bit) {
    if (const Place place = resume(space, key); place.block) {
        mark(space, *place.block, cpu_bit);
        return place;
    }
    CachedBlock*& newest = newest_[key];
    CachedBlock* block = newest;
    while (block && !valid(space, *block)) block = block->older;
    if (!block) {
        block = &decode(space, key, fetched_bytes);
        block->older = newest;
        block->code.version = newest ? newest->code.version + 1 : 0;
        newest = block;
    }
    mark(space, *block, cpu_bit);
    recent_[key.address % recent_.size()] = block;
    return {block, 0};
}

void CodeCache::mark(AddressSpace& space, CachedBlock& block, std::uint16_t cpu_bit) {
    if (block.generation != generation_) block.marked_for = 0;
    block.generation = generation_;
    block.marked_for |= cpu_bit;
    const auto mark_page = [&](std::uint64_t physical) {
        code_pages_[physical / page_bytes] = 1;
        engine_pages_[physical / page_bytes] |= cpu_bit;
    };
    if (block.memory) mark_page(block.code.physical_address);
    if (block.second_memory) mark_page(block.second_physical);
    if (!block.runs_on) return;
    const std::uint64_t next = space.translate((block.code.address & -page_bytes) + page_bytes);
    if (memory_.contains(next, 1)) engine_pages_[next / page_bytes] |= cpu_bit;
}

void CodeCache::forget(std::uint64_t physical, std::uint16_t cpu_bits) {
    engine_pages_[physical / page_bytes] &= std::uint16_t(~cpu_bits);
    ++generation_;
}

void CodeCache::unmark(std::uint64_t physical, const CachedBlock& running) {
    const std::uint64_t page = physical & -page_bytes;
    if (page == (running.code.physical_address & -page_bytes) || page == running.second_physical) return;
    code_pages_[page / page_bytes] = 0;
    ++generation_;
}

void CodeCache::unmark_all(std::uint16_t cpu_bit) {
    std::fill(code_pages_.begin(), code_pages_.end(), 0);
    for (std::uint16_t& cpus : engine_pages_) cpus &= std::uint16_t(~cpu_bit);
    ++generation_;
}

CachedBlock& CodeCache::decode(AddressSpace& space, const Key& key, std::uint32_t fetched_bytes) {
    const auto [address, physical, mode] = key;
    CachedBlock& block = blocks_->emplace_back();
    block.code.id = CodeId(blocks_->size() - 1);
    block.mode = mode;
    block.code.address = address;
    block.code.physical_address = physical;
    if (physical != unmapped && memory_.contains(physical, 1)) {
        block.memory = memory_.data() + physical;
        decode_line(block);
        if (block.code.instructions.empty()) decode_across_pages(space, block);
    }
    if (block.code.instructions.empty()) {
        // Not an instruction, or not where the page tables say (the guest changed them and has not flushed yet). One
        // step of unknown content: the engine will raise #UD or run it.
        const std::uint64_t in_page = page_bytes - address % page_bytes;
        Instruction unknown{};
        unknown.address = address;
        unknown.length = std::uint8_t(fetched_bytes - 1 < longest_instruction ? fetched_bytes : 1);
        unknown.special = Special::ud;
        unknown.code_bits = mode.bits;
        block.first_bytes = std::uint32_t(std::min<std::uint64_t>(unknown.length, in_page));
        unknown.length = std::uint8_t(block.first_bytes);
        if (block.memory) block.code.bytes.assign(block.memory, block.memory + block.first_bytes);
        block.code.instructions.push_back(unknown);
    }
    bool look = false;
    for (const Instruction& instruction : block.code.instructions) {
        block.steps.push_back(
            {look || needs_attention(instruction, block.code) ? no_match : instruction.address, &instruction});
        look = changes_interruptibility(instruction);
    }
    block.steps.push_back({no_match, nullptr});
    return block;
}

void CodeCache::decode_line(CachedBlock& block) {
    const std::uint64_t in_page = page_bytes - block.code.address % page_bytes;
    std::uint64_t offset = 0;
    while (offset < in_page && block.code.instructions.size() < max_block_instructions) {
        const std::span<const std::uint8_t> bytes(block.memory + offset,
                                                  std::min<std::uint64_t>(in_page - offset, longest_instruction));
        const auto instruction = decoder(block.mode).decode(bytes, block.code.address + offset);
        if (!instruction || instruction->length > bytes.size()) break;
        block.code.instructions.push_back(*instruction);
        offset += instruction->length;
        if (ends_code_block(*instruction)) break;
    }
    const auto& decoded = block.code.instructions;
    block.runs_on = decoded.size() < max_block_instructions && !decoded.empty() && !ends_code_block(decoded.back());
    block.first_bytes = std::uint32_t(offset);
    block.code.bytes.assign(block.memory, block.memory + offset);
}

void CodeCache::decode_across_pages(AddressSpace& space, CachedBlock& block) {
    const std::uint64_t in_page = page_bytes - block.code.address % page_bytes;
    if (in_page >= longest_instruction) return;
    const std::uint64_t second = space.translate(block.code.address + in_page);
    if (second == unmapped || !memory_.contains(second, page_bytes)) return;
    std::uint8_t bytes[longest_instruction];
    std::memcpy(bytes, block.memory, in_page);
    std::memcpy(bytes + in_page, memory_.data() + second, longest_instruction - in_page);
    const auto instruction = decoder(block.mode).decode(bytes, block.code.address);
    if (!instruction || instruction->length <= in_page) return;
    block.second_physical = second;
    block.second_memory = memory_.data() + second;
    block.first_bytes = std::uint32_t(in_page);
    block.code.bytes.assign(bytes, bytes + instruction->length);
    block.code.instructions.push_back(*instruction);
}

std::uint64_t CodeCache::line_end(AddressSpace& space, std::uint64_t address, CodeMode mode) {
    const std::uint64_t physical = space.translate(address), in_page = page_bytes - address % page_bytes;
    if (!memory_.contains(physical, in_page)) return address;
    std::uint64_t offset = 0;
    while (offset < in_page) {
        const std::span<const std::uint8_t> bytes(memory_.data() + physical + offset,
                                                  std::min<std::uint64_t>(in_page - offset, longest_instruction));
        const auto instruction = decoder(mode).decode(bytes, address + offset);
        if (!instruction || instruction->length > bytes.size()) break;
        offset += instruction->length;
    }
    return address + offset;
}

std::string CodeCache::text(const CachedBlock& block, const Instruction& instruction) {
    const std::span<const std::uint8_t> bytes(block.code.bytes);
    return decoder(block.mode)
        .text(bytes.subspan(instruction.address - block.code.address, instruction.length), instruction.address);
}

void CodeCache::remember(CachedBlock* block, unsigned index) {
    const std::uint64_t address = block->steps[index].instruction->address;
    cut_[address % cut_.size()] = {block, index};
}

CodeCache::Place CodeCache::resume(AddressSpace& space, const Key& key) {
    const auto [address, physical, mode] = key;
    const Place place = cut_[address % cut_.size()];
    if (!place.block || place.block->steps[place.index].instruction->address != address) return {};
    CachedBlock& block = *place.block;
    if (mode != block.mode || physical != block.code.physical_address + (address - block.code.address) ||
        !valid(space, block))
        return {};
    return place;
}

}  // namespace sim::unicorn
