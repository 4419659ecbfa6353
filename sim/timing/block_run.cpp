// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/timing/block_data.hpp>
#include <sim/timing/opcode_rules.hpp>

namespace sim::timing {

namespace {

constexpr std::uint64_t base_address = 0x400000;

std::string hex_bytes(std::span<const std::uint8_t> bytes) {
    constexpr std::size_t most = 15;  // an instruction's
    std::string out;
    for (const std::uint8_t byte : bytes.first(std::min(bytes.size(), most))) {
        constexpr char digits[] = "0123456789abcdef";
        if (!out.empty()) out += ' ';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out + (bytes.size() > most ? " ..." : "");
}

[[noreturn]] void refuse(std::string_view what, std::size_t offset, std::span<const std::uint8_t> bytes) {
    throw BlockError(std::string(what) + " at byte " + std::to_string(offset) + " (" + hex_bytes(bytes) + ")");
}

enum class Use { timed, privileged, unsupported };

// What an instruction is to a block in ring 3.
Use use_of(Special special) {
    switch (special) {
        case Special::plain:
        case Special::nop:
        case Special::string:
        case Special::sfence:
        case Special::unsupported:  // by the engines: AVX
        case Special::lfence:
        case Special::mfence:
        case Special::pause:
        case Special::rdtsc:
        case Special::rdtscp:
        case Special::cpuid:
        case Special::rdrand:
        case Special::xgetbv:
        case Special::fxsave:
        case Special::fxrstor:
        case Special::xsave:
        case Special::xrstor:
        case Special::clflush:
        case Special::fsgsbase:
        case Special::pushf:
        case Special::popf:
            return Use::timed;
        case Special::syscall:
        case Special::int_n:
        case Special::int3:
        case Special::ud:
        case Special::far_transfer:
        case Special::mov_ss:
            return Use::unsupported;
        default:
            return Use::privileged;
    }
}

// Of a conditional branch that asks for zero: whether it is taken if the last result was. JE and JNE, short or near.
std::optional<bool> taken_if_zero(std::span<const std::uint8_t> bytes) {
    if (bytes.size() == 2 && (bytes[0] == 0x74 || bytes[0] == 0x75)) return bytes[0] == 0x74;
    if (bytes.size() == 6 && bytes[0] == 0x0f && (bytes[1] == 0x84 || bytes[1] == 0x85)) return bytes[1] == 0x84;
    return std::nullopt;
}

// To what follows it, so that the block goes on whether it is taken or not.
bool goes_nowhere(std::span<const std::uint8_t> bytes) {
    return bytes.size() == 2 ? bytes[1] == 0 : bytes.size() == 6 && std::ranges::count(bytes.last(4), 0) == 4;
}

bool always_taken(Flow flow) { return flow != Flow::next && flow != Flow::conditional; }

}  // namespace

BlockTimer::BlockTimer(std::string_view cpu) : data_(std::make_unique<Data>(cpu)) {}
BlockTimer::~BlockTimer() = default;

BlockTimer::Data::Data(std::string_view name) : cpu(load_cpu(name)), decoder(Decoder::make()) { forget_recipes(); }

void BlockTimer::Data::forget_recipes() {
    recipes.clear();
    fused.clear();
    book = std::make_unique<RecipeBook>(*cpu);
}

std::string BlockTimer::cpu() const { return data_->cpu->name; }

Recipe BlockTimer::recipe(std::span<const std::uint8_t> bytes, const Instruction& instruction, const Operands& operands,
                          std::string_view name) {
    const std::string key(bytes.begin(), bytes.end());
    if (const auto found = data_->recipes.find(key); found != data_->recipes.end()) return found->second;
    return data_->recipes[key] = data_->book->make(instruction, operands, name, bytes);
}

// A pair has recipes of its own: fusing changes both.
void BlockTimer::fuse(std::span<const std::uint8_t> compare_bytes, BlockInstruction& compare,
                      std::span<const std::uint8_t> branch_bytes, BlockInstruction& branch, const Operands& operands) {
    std::string key(compare_bytes.begin(), compare_bytes.end());
    key.append(branch_bytes.begin(), branch_bytes.end());
    auto found = data_->fused.find(key);
    if (found == data_->fused.end()) {
        const std::string_view name = data_->decoder->opcode_name(branch.instruction.opcode);
        Recipe second = data_->book->make(branch.instruction, operands, name, branch_bytes);
        data_->decoder->decode(compare_bytes, compare.instruction.address);
        const Recipe first = data_->book->make(compare.instruction, data_->decoder->operands(),
                                               data_->decoder->opcode_name(compare.instruction.opcode), compare_bytes);
        data_->book->fuse(first, second);
        found = data_->fused.emplace(std::move(key), std::pair(first, second)).first;
    }
    const bool with_move = compare.recipe.fused;
    compare.recipe = found->second.first;
    compare.recipe.fused = with_move;
    branch.recipe = found->second.second;
}

void BlockTimer::append(RawBlock& block, std::span<const std::uint8_t> bytes, std::size_t offset,
                        const Instruction& instruction, bool counter) {
    const Operands operands = data_->decoder->operands();
    const std::string_view name = data_->decoder->opcode_name(instruction.opcode);
    BlockInstruction one{.instruction = instruction,
                         .recipe = recipe(bytes.first(instruction.length), instruction, operands, name),
                         .effect = effect_of(instruction, operands, name),
                         .offset = static_cast<std::uint32_t>(offset),
                         .taken = counter || always_taken(instruction.flow),
                         .counter = counter};
    if (!block.instructions.empty()) {
        BlockInstruction& before = block.instructions.back();
        const std::string_view compare = data_->decoder->opcode_name(before.instruction.opcode);
        data_->book->fuse_move(before.recipe, name, operands, one.recipe);
        if (fuses(compare, before.instruction, name)) {
            const auto compare_bytes = std::span(data_->code).last(before.instruction.length);
            fuse(compare_bytes, before, bytes.first(instruction.length), one, operands);
        }
    }
    data_->code.insert(data_->code.end(), bytes.begin(), bytes.begin() + instruction.length);
    if (data_->cpu->ideal) one.recipe.known = true;  // it asks for no costs
    block.instructions.push_back(std::move(one));
}

// A loop's counter is a register that the block leaves alone; if there is none, only the branch is taken.
void BlockTimer::append_counter(RawBlock& block) {
    unsigned used = 1u << 4;  // rsp
    for (const BlockInstruction& one : block.instructions) {
        used |= one.instruction.reads | one.instruction.writes;
        for (unsigned i = 0; i < one.instruction.operand_count; ++i)
            for (const std::uint8_t reg : {one.instruction.memory[i].base, one.instruction.memory[i].index})
                if (reg != no_register) used |= 1u << reg;
    }
    std::vector<std::uint8_t> code;
    for (unsigned reg = 16; reg-- > 0 && code.empty();)
        if (!(used >> reg & 1))
            code = {static_cast<std::uint8_t>(reg < 8 ? 0x48 : 0x49), 0xff, static_cast<std::uint8_t>(0xc8 + reg % 8),
                    0x75, 0x00};            // dec reg; jnz
    if (code.empty()) code = {0xeb, 0x00};  // jmp
    for (std::size_t at = 0; at < code.size();) {
        const auto rest = std::span<const std::uint8_t>(code).subspan(at);
        const auto decoded = data_->decoder->decode(rest, base_address + block.bytes.size() + at);
        append(block, rest, block.bytes.size(), *decoded, true);
        block.instructions.back().taken = at + decoded->length == code.size();
        at += decoded->length;
    }
}

RawBlock BlockTimer::read(std::span<const std::uint8_t> bytes, BlockMode mode) {
    constexpr std::size_t recipes_most = 32768;
    if (bytes.empty()) throw BlockError("an empty block: there is nothing to time");
    if (bytes.size() > block_bytes_most)
        throw BlockError("a block of " + std::to_string(bytes.size()) + " bytes; at most " +
                         std::to_string(block_bytes_most) + " can be timed");
    if (data_->recipes.size() + data_->fused.size() > recipes_most) data_->forget_recipes();
    data_->code.clear();
    RawBlock block{{bytes.begin(), bytes.end()}, {}};
    for (std::size_t at = 0; at < bytes.size();) {
        const auto rest = bytes.subspan(at);
        const auto decoded = data_->decoder->decode(rest, base_address + at);
        if (!decoded) refuse("no instruction", at, rest);
        const auto own = rest.first(decoded->length);
        const Use use = use_of(decoded->special);
        if (use == Use::privileged || decoded->flow == Flow::stop) refuse("a privileged instruction", at, own);
        if (use == Use::unsupported || decoded->flow == Flow::trap)
            refuse("an instruction that leaves the block's ring or never comes back", at, own);
        append(block, rest, at, *decoded, false);
        at += decoded->length;
    }
    if (mode == BlockMode::loop) append_counter(block);
    follow_values(block);
    return block;
}

// What hangs on values, by those that an iteration in the middle has: branches to what follows, divisions.
void BlockTimer::follow_values(RawBlock& block) {
    AddressInterpreter values;
    for (const bool settled : {false, true}) {
        for (BlockInstruction& one : block.instructions) {
            if (settled && !one.counter) {
                const auto bytes = std::span(block.bytes).subspan(one.offset, one.instruction.length);
                const auto taken = taken_if_zero(bytes);
                if (one.instruction.flow == Flow::conditional && taken && goes_nowhere(bytes) && values.zero())
                    one.taken = *taken == *values.zero();
                if (one.effect.kind == Effect::Kind::divide)
                    if (const auto bits = values.quotient_bits(one.effect)) set_division(bytes, one, *bits);
            }
            values.execute(one.instruction, one.effect);
        }
    }
}

void BlockTimer::set_division(std::span<const std::uint8_t> bytes, BlockInstruction& one, unsigned quotient_bits) {
    std::string key(bytes.begin(), bytes.end());
    key += static_cast<char>(quotient_bits);  // behind a whole instruction: no other key is the same
    const auto found = data_->recipes.find(key);
    if (found != data_->recipes.end()) {
        one.recipe = found->second;
        return;
    }
    data_->decoder->decode(bytes, one.instruction.address);
    const std::string_view name = data_->decoder->opcode_name(one.instruction.opcode);
    one.recipe = data_->recipes[key] =
        data_->book->make(one.instruction, data_->decoder->operands(), name, bytes, quotient_bits);
}

std::string BlockTimer::text(const RawBlock& block, const BlockInstruction& one, Syntax syntax) {
    if (one.counter) return one.taken ? "(loop: taken branch)" : "(loop: counter)";
    const auto bytes = std::span(block.bytes).subspan(one.offset, one.instruction.length);
    return data_->decoder->text(bytes, one.instruction.address, syntax);
}

std::string BlockTimer::opcode_name(const BlockInstruction& one) const {
    return std::string(data_->decoder->opcode_name(one.instruction.opcode));
}

std::span<const Operation> BlockTimer::operations(const BlockInstruction& one) const {
    return std::span(data_->book->operations()).subspan(one.recipe.first, one.recipe.operations);
}

std::string BlockTimer::unit_names(std::uint32_t units) const { return data_->cpu->units.text(units); }

}  // namespace sim::timing
