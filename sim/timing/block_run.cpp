// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>
#include <sim/timing/block_run.hpp>
#include <stdexcept>

namespace sim::timing {

BlockRun::BlockRun(const Cpu& cpu, RecipeBook& book, Decoder& decoder, std::span<const std::uint8_t> bytes)
    : cpu_(cpu), book_(book) {
    constexpr std::uint64_t base = 0x400000;
    std::size_t at = 0;
    while (at < bytes.size()) {
        const auto decoded = decoder.decode(bytes.subspan(at), base + at);
        if (!decoded) throw std::runtime_error("no instruction at byte " + std::to_string(at));
        BlockInstruction one{*decoded, decoder.operands(), {}, std::string(decoder.opcode_name(decoded->opcode)), {}};
        one.recipe = book.make(one.instruction, one.operands, one.name, bytes.subspan(at, decoded->length));
        if (!instructions_.empty() && RecipeBook::fuses(instructions_.back().name, instructions_.back().instruction,
                                                        instructions_.back().operands, one.name))
            book.fuse(instructions_.back().recipe, one.recipe);
        one.text = decoder.text(bytes.subspan(at), base + at);
        instructions_.push_back(std::move(one));
        at += decoded->length;
    }
    if (instructions_.empty()) throw std::runtime_error("an empty block");
}

std::vector<Access> BlockRun::accesses(const BlockInstruction& one) {
    std::vector<Access> list;
    for (unsigned i = 0; i < one.instruction.operand_count; ++i) {
        const MemoryOperand& operand = one.instruction.memory[i];
        std::uint64_t address = static_cast<std::uint64_t>(operand.displacement);
        if (operand.base != no_register) address += values_[operand.base];
        if (operand.index != no_register) address += values_[operand.index] * operand.scale;
        list.push_back({0, operand.kind,
                        static_cast<std::uint8_t>(std::min<unsigned>(operand.size ? operand.size : 8, 64)), false,
                        address, address});
    }
    return list;
}

void BlockRun::execute(const BlockInstruction& one) {
    const Instruction& instruction = one.instruction;
    const Operands& operands = one.operands;
    const std::string& name = one.name;
    int to = -1, from = -1;
    for (unsigned i = 0; i < operands.count; ++i) {
        const RegisterUse& use = operands.registers[i];
        if (use.unit >= 16) continue;
        if (use.written && to < 0) to = use.unit;
        if (!use.written) from = use.unit;
    }
    constexpr unsigned rsp = 4;
    if (name.starts_with("PUSH") || name.starts_with("CALL")) {
        values_[rsp] -= 8;
        return;
    }
    if ((name.starts_with("POP") && !name.starts_with("POPCNT")) || name.starts_with("RET")) {
        if (to >= 0 && to != int(rsp)) values_[to] = 0x40000;
        values_[rsp] += 8;
        return;
    }
    if (to < 0) return;
    std::uint64_t& value = values_[to];
    if (name.starts_with("ADD64ri") || name.starts_with("ADD32ri") || name.starts_with("ADD64i32"))
        value += std::uint64_t(operands.immediate);
    else if (name.starts_with("SUB64ri") || name.starts_with("SUB32ri") || name.starts_with("SUB64i32"))
        value -= std::uint64_t(operands.immediate);
    else if (name.starts_with("INC")) ++value;
    else if (name.starts_with("DEC")) --value;
    else if ((name.starts_with("MOV64rr") || name.starts_with("MOV32rr")) && from >= 0) value = values_[from];
    else if (name.starts_with("MOV32ri") || name.starts_with("MOV64ri")) value = std::uint64_t(operands.immediate);
    else if ((name.starts_with("XOR32rr") || name.starts_with("XOR64rr") || name.starts_with("SUB32rr") ||
              name.starts_with("SUB64rr")) &&
             from == to)
        value = 0;
    else if (name.starts_with("ADD64rr") && from >= 0) value += values_[from];
    else if (name.starts_with("SUB64rr") && from >= 0) value -= values_[from];
    else if (name.starts_with("AND64ri")) value &= std::uint64_t(operands.immediate);
    else if (name.starts_with("LEA64r") || name.starts_with("LEA64_32r")) {
        const MemoryOperand& operand = instruction.memory[0];
        std::uint64_t address = static_cast<std::uint64_t>(operand.displacement);
        if (operand.base != no_register) address += values_[operand.base];
        if (operand.index != no_register) address += values_[operand.index] * operand.scale;
        value = address;
    } else if (!name.starts_with("CMOV")) value = 0x40000;
}

static const unsigned align = getenv("ALIGN") ? unsigned(atoi(getenv("ALIGN"))) : 0;
std::uint64_t BlockRun::run(unsigned repetitions) {
    for (unsigned i = 0; i < 16; ++i) values_[i] = 0x100000 * (i + 1) + align;
    Core core(cpu_.machine, book_.operations());
    for (unsigned n = 0; n < repetitions; ++n)
        for (const BlockInstruction& one : instructions_) {
            const auto list = accesses(one);
            if (one.recipe.system)
                core.step_total(one.recipe, list, one.recipe.system->cycles.likely, one.recipe.system->drains);
            else if (one.recipe.string)
                core.step_total(one.recipe, {}, one.recipe.string->cycles(string_bytes(one)).likely, false);
            else core.step(one.recipe, list, false);
            execute(one);
        }
    return core.retired();
}

// What a string instruction goes over: counted by rcx with a REP, of an element each.
std::uint64_t BlockRun::string_bytes(const BlockInstruction& one) const {
    constexpr unsigned rcx = 1;
    std::uint64_t loaded = 0, stored = 0;
    for (unsigned i = 0; i < one.instruction.operand_count; ++i)
        (one.instruction.memory[i].kind == AccessKind::load ? loaded : stored) += one.instruction.memory[i].size;
    return std::max(loaded, stored) * (one.instruction.rep ? values_[rcx] : 1);
}

double BlockRun::throughput() {
    if (cpu_.ideal) return double(instructions_.size());
    const unsigned once = std::max<unsigned>(20, 2000u / unsigned(instructions_.size()));
    const std::uint64_t few = run(once), many = run(3 * once);
    return double(many - few) / (2.0 * once);
}

}  // namespace sim::timing
