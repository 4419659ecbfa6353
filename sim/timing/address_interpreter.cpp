// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <bit>
#include <sim/timing/address_interpreter.hpp>
#include <utility>

namespace sim::timing {

namespace {

constexpr std::uint8_t rax = 0, rcx = 1, rdx = 2, rsp = 4, rbp = 5, rsi = 6, rdi = 7, general_registers = 16;

// Registers begin a megabyte apart: no displacement leads from one to another. What is unknown lies below them all.
constexpr std::uint64_t apart = 0x100000, unknown_value = 0x40000;

struct Rule {
    std::string_view start;
    Effect::Kind kind;
};
// By the beginning of LLVM's opcode name; the width follows it.
constexpr Rule rules[] = {
    {"ADD", Effect::Kind::add},      {"SUB", Effect::Kind::subtract},    {"INC", Effect::Kind::add},
    {"DEC", Effect::Kind::subtract}, {"AND", Effect::Kind::bit_and},     {"OR", Effect::Kind::bit_or},
    {"XOR", Effect::Kind::bit_xor},  {"SHL", Effect::Kind::shift_left},  {"SHR", Effect::Kind::shift_right},
    {"MOV", Effect::Kind::set},      {"MOVSX64rr32", Effect::Kind::set}, {"XCHG", Effect::Kind::exchange},
    {"CMP", Effect::Kind::compare},  {"TEST", Effect::Kind::test},
};

// The rule whose start is followed by the operands' width (and so no other instruction's name).
const Rule* rule_of(std::string_view name) {
    for (const Rule& rule : rules) {
        if (!name.starts_with(rule.start)) continue;
        const std::string_view rest = name.substr(rule.start.size());
        if (rest.empty() || rest.starts_with("64") || rest.starts_with("32")) return &rule;
    }
    return nullptr;
}

struct Registers {
    std::uint8_t to = no_register, from = no_register, bytes = 0;
};
Registers registers_of(const Operands& operands) {
    Registers found;
    for (unsigned i = 0; i < operands.count; ++i) {
        const RegisterUse& use = operands.registers[i];
        if (use.unit >= general_registers) continue;
        if (use.written && found.to == no_register) found.to = use.unit, found.bytes = use.bytes;
        if (!use.written) found.from = use.unit;
    }
    return found;
}

Effect stack_effect(std::string_view name, const Operands& operands, const Registers& registers) {
    if (name.starts_with("PUSH"))
        return {Effect::Kind::push, no_register, operands.has_immediate ? no_register : registers.from, 8,
                operands.immediate};
    if (name.starts_with("CALL")) return {.kind = Effect::Kind::enter_call};
    if (name.starts_with("LEAVE")) return {.kind = Effect::Kind::leave};
    if (name.starts_with("POP") && !name.starts_with("POPCNT")) return {Effect::Kind::pop, registers.to};
    return {.kind = Effect::Kind::pop};  // ret
}

// CMP and TEST: two registers, or one and an immediate.
Effect compare_effect(Effect::Kind kind, const Operands& operands) {
    Effect effect{kind, no_register, no_register, 0, operands.immediate};
    for (unsigned i = 0; i < operands.count; ++i) {
        const RegisterUse& use = operands.registers[i];
        if (use.unit >= general_registers) continue;
        (effect.to == no_register ? effect.to : effect.from) = use.unit;
        effect.bytes = use.bytes;
    }
    if (effect.to == no_register || effect.bytes < 4) return {};
    if (effect.from == no_register && !operands.has_immediate) effect.from = effect.to;
    return effect;
}

Effect divide_effect(const Operands& operands) {
    Effect effect{Effect::Kind::divide, rax};
    for (unsigned i = 0; i < operands.count; ++i) {
        const RegisterUse& use = operands.registers[i];
        if (use.unit < general_registers && use.unit != rax && use.unit != rdx) effect.from = use.unit;
        if (use.unit == rax) effect.bytes = use.bytes;
    }
    return effect;
}

std::uint64_t masked(std::uint64_t value, unsigned bytes) { return bytes == 4 ? value & 0xffffffff : value; }

}  // namespace

Effect effect_of(const Instruction& instruction, const Operands& operands, std::string_view name) {
    const Registers registers = registers_of(operands);
    if (name.starts_with("PUSH") || name.starts_with("CALL") || name.starts_with("LEAVE") || name.starts_with("RET") ||
        (name.starts_with("POP") && !name.starts_with("POPCNT")))
        return stack_effect(name, operands, registers);
    const bool one_string = instruction.special == Special::string;
    if (one_string && instruction.operand_count)
        return {Effect::Kind::string, no_register, no_register, 8, instruction.memory[0].size};
    const MemoryOperand* memory = instruction.operand_count ? &instruction.memory[0] : nullptr;
    const Rule* rule = rule_of(name);
    if (name.starts_with("DIV64r") || name.starts_with("DIV32r") || name.starts_with("IDIV64r") ||
        name.starts_with("IDIV32r"))
        return divide_effect(operands);
    if (rule && (rule->kind == Effect::Kind::compare || rule->kind == Effect::Kind::test))
        return memory ? Effect{} : compare_effect(rule->kind, operands);
    if (memory && memory->kind != AccessKind::load) {
        if (name.starts_with("MOV64m") || name.starts_with("MOV32m"))
            return {Effect::Kind::store, no_register, operands.has_immediate ? no_register : registers.from,
                    static_cast<std::uint8_t>(memory->size), operands.immediate};
        if (registers.to == no_register) return {};
    }
    if (registers.to == no_register) return {};
    if (registers.bytes < 4) return {};  // the rest of the register stays, and with it roughly where it points
    Effect effect{Effect::Kind::unknown, registers.to, registers.from, registers.bytes, operands.immediate};
    if (name.starts_with("LEA")) effect.kind = Effect::Kind::address;
    else if (memory && (name.starts_with("MOV64rm") || name.starts_with("MOV32rm"))) effect.kind = Effect::Kind::load;
    else if (name.starts_with("CMOV")) effect.kind = Effect::Kind::none;  // as if the condition never held
    else if (rule && !memory) {
        effect.kind = rule->kind;
        if (name.starts_with("INC") || name.starts_with("DEC")) effect.immediate = 1;
        if (operands.has_immediate || effect.immediate == 1) effect.from = no_register;
        else if (registers.from == no_register) effect.kind = Effect::Kind::unknown;
    }
    return effect;
}

void AddressInterpreter::reset() {
    for (std::uint64_t i = 0; i < general_registers; ++i) values_[i] = apart * (i + 1);
    memory_.clear();
    zero_.reset();
}

std::uint64_t AddressInterpreter::address_of(const MemoryOperand& operand) const {
    std::uint64_t address = static_cast<std::uint64_t>(operand.displacement);
    if (operand.base != no_register) address += values_[operand.base];
    if (operand.index != no_register) address += values_[operand.index] * operand.scale;
    return operand.address_bits == 32 ? address & 0xffffffff : address;
}

void AddressInterpreter::accesses(const Instruction& instruction, std::vector<Access>& out) const {
    constexpr unsigned most = 64;
    out.clear();
    for (unsigned i = 0; i < instruction.operand_count; ++i) {
        const MemoryOperand& operand = instruction.memory[i];
        const std::uint64_t address = address_of(operand);
        const unsigned bytes = operand.size ? operand.size : 8;
        for (unsigned done = 0; done < bytes; done += most)
            out.push_back({0, operand.kind, static_cast<std::uint8_t>(std::min(bytes - done, most)), false,
                           address + done, address + done});
    }
}

std::uint64_t AddressInterpreter::loaded(std::uint64_t address) const {
    const auto found = memory_.find(address);
    return found == memory_.end() ? unknown_value : found->second;
}

void AddressInterpreter::stored(std::uint64_t address, std::uint64_t value) {
    constexpr std::size_t most = 4096;  // a block that stores ever further on would keep all of it
    if (memory_.size() >= most) memory_.clear();
    memory_[address] = value;
}

std::uint64_t AddressInterpreter::source(const Effect& effect) const {
    return effect.from == no_register ? static_cast<std::uint64_t>(effect.immediate) : values_[effect.from];
}

std::optional<AddressInterpreter::Division> AddressInterpreter::division(const Effect& effect) const {
    if (effect.from == no_register) return std::nullopt;
    const std::uint64_t high = masked(values_[rdx], effect.bytes), low = masked(values_[rax], effect.bytes),
                        divisor = masked(values_[effect.from], effect.bytes);
    if (low == unknown_value || divisor == unknown_value || high >= divisor) return std::nullopt;
    __extension__ using Wide = unsigned __int128;
    const Wide dividend = Wide{high} << (8 * effect.bytes) | low;
    return Division{static_cast<std::uint64_t>(dividend / divisor), static_cast<std::uint64_t>(dividend % divisor)};
}

std::optional<unsigned> AddressInterpreter::quotient_bits(const Effect& effect) const {
    const auto result = division(effect);
    if (!result) return std::nullopt;
    return static_cast<unsigned>(std::bit_width(result->quotient));
}

void AddressInterpreter::execute(const Instruction& instruction, const Effect& effect) {
    if (instruction.writes_flags) zero_.reset();
    constexpr std::uint64_t slot = 8;
    std::uint64_t unused = 0;
    std::uint64_t& to = effect.to == no_register ? unused : values_[effect.to];
    switch (effect.kind) {
        case Effect::Kind::none:
            return;
        case Effect::Kind::unknown:
            to = unknown_value;
            break;
        case Effect::Kind::set:
            to = source(effect);
            break;
        case Effect::Kind::add:
            to += source(effect);
            break;
        case Effect::Kind::subtract:
            to -= source(effect);
            break;
        case Effect::Kind::bit_and:
            to &= source(effect);
            break;
        case Effect::Kind::bit_or:
            to |= source(effect);
            break;
        case Effect::Kind::bit_xor:
            to ^= source(effect);
            break;
        case Effect::Kind::shift_left:
            to <<= source(effect) & 63;
            break;
        case Effect::Kind::shift_right:
            to >>= source(effect) & 63;
            break;
        case Effect::Kind::address:
            to = address_of(instruction.memory[0]);
            break;
        case Effect::Kind::load:
            to = loaded(address_of(instruction.memory[0]));
            break;
        case Effect::Kind::store:
            stored(address_of(instruction.memory[0]), source(effect));
            return;
        case Effect::Kind::push:
            values_[rsp] -= slot;
            stored(values_[rsp], instruction.operand_count > 1 ? unknown_value : source(effect));
            return;
        case Effect::Kind::enter_call:
            values_[rsp] -= slot;
            return;
        case Effect::Kind::pop: {
            const std::uint64_t value = loaded(values_[rsp]);
            values_[rsp] += slot;
            to = value;
            return;
        }
        case Effect::Kind::exchange:
            if (effect.from != no_register) std::swap(to, values_[effect.from]);
            return;
        case Effect::Kind::compare:
            zero_ = masked(to, effect.bytes) == masked(source(effect), effect.bytes);
            return;
        case Effect::Kind::test:
            zero_ = masked(to & source(effect), effect.bytes) == 0;
            return;
        case Effect::Kind::divide: {
            const Division result = division(effect).value_or(Division{unknown_value, unknown_value});
            values_[rax] = result.quotient, values_[rdx] = result.remainder;
            return;
        }
        case Effect::Kind::leave:
            values_[rsp] = values_[rbp];
            values_[rbp] = loaded(values_[rsp]);
            values_[rsp] += slot;
            return;
        case Effect::Kind::string: {
            const std::uint64_t times = instruction.rep ? std::exchange(values_[rcx], 0) : 1;
            const std::uint64_t by = times * static_cast<std::uint64_t>(effect.immediate);
            for (unsigned i = 0; i < instruction.operand_count; ++i)
                if (instruction.memory[i].base == rsi || instruction.memory[i].base == rdi)
                    values_[instruction.memory[i].base] += by;
            return;
        }
    }
    to = masked(to, effect.bytes);
    if (instruction.writes_flags && effect.kind != Effect::Kind::unknown) zero_ = to == 0;
}

}  // namespace sim::timing
