// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/timing/recipe.hpp>
#include <string>
#include <utility>

namespace sim::timing {

namespace {

constexpr std::uint8_t rsp = 4;

bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> starts) {
    return std::ranges::any_of(starts, [&](std::string_view start) { return name.starts_with(start); });
}

bool is_vector(std::uint8_t unit) { return unit >= unit::vector && unit < unit::mask + 8; }

template <std::size_t n>
void add(std::array<std::uint8_t, n>& list, std::uint8_t& count, std::uint8_t value) {
    if (count < n && std::find(list.begin(), list.begin() + count, value) == list.begin() + count)
        list[count++] = value;
}

// The name of a memory operand, for memory renaming: same base, index, scale and displacement. Of rsp the renamer
// follows every change, so its operands are all of one name. 0: a form that is not renamed.
std::uint32_t operand_name(const MemoryOperand& operand) {
    if (operand.size != 4 && operand.size != 8) return 0;
    if (operand.segment == SegmentBase::fs || operand.segment == SegmentBase::gs) return 0;
    if (operand.base == rsp && operand.index == no_register) return 1;
    std::uint64_t hash = operand.base * 31u + operand.index;
    hash = hash * 37 + operand.scale;
    hash = (hash * 0x9e3779b97f4a7c15ull + static_cast<std::uint64_t>(operand.displacement)) * 0x9e3779b97f4a7c15ull;
    return static_cast<std::uint32_t>(hash >> 32) | 2;
}

// Moves between registers that rename only: 32 and 64-bit general ones, whole vector registers.
bool is_eliminated_move(std::string_view name) {
    if (name == "MOV32rr" || name == "MOV64rr" || name == "MOV32rr_REV" || name == "MOV64rr_REV") return true;
    if (name.find("rr") == name.npos || name.find("rrk") != name.npos) return false;
    return starts_with_any(name,
                           {"MOVAPSrr",  "MOVAPDrr",   "MOVUPSrr",   "MOVUPDrr",   "MOVDQArr",  "MOVDQUrr", "VMOVAPSrr",
                            "VMOVAPDrr", "VMOVUPSrr",  "VMOVUPDrr",  "VMOVDQArr",  "VMOVDQUrr", "VMOVAPSY", "VMOVAPDY",
                            "VMOVUPSY",  "VMOVUPDY",   "VMOVDQAY",   "VMOVDQUY",   "VMOVAPSZ",  "VMOVAPDZ", "VMOVUPSZ",
                            "VMOVUPDZ",  "VMOVDQA32Z", "VMOVDQA64Z", "VMOVDQU32Z", "VMOVDQU64Z"});
}

// Zeroing by a register with itself; `ones`: the same for all ones, which needs a unit but no source.
bool is_zero_idiom(std::string_view name) {
    if (name.find("rr") == name.npos || name.find("rrk") != name.npos) return false;
    return starts_with_any(name, {"XOR32rr", "XOR64rr", "SUB32rr", "SUB64rr", "XORPS",  "XORPD",  "VXORPS",
                                  "VXORPD",  "PXOR",    "VPXOR",   "PSUB",    "VPSUB",  "PANDN",  "VPANDN",
                                  "ANDNPS",  "ANDNPD",  "VANDNPS", "VANDNPD", "PCMPGT", "VPCMPGT"}) &&
           !starts_with_any(name, {"PSUBS", "PSUBUS", "VPSUBS", "VPSUBUS"});
}
bool breaks_dependency(std::string_view name) {
    return starts_with_any(name, {"PCMPEQ", "VPCMPEQ", "XOR", "SUB", "SBB", "CMP"}) && name.find("rr") != name.npos &&
           !starts_with_any(name, {"SUBS", "SUBP", "XOR8", "XOR16", "SUB8", "SUB16", "CMPP", "CMPS", "CMPX"});
}

// Of an instruction that does not depend on its register: SBB of one with itself still does on the carry.
template <std::size_t n>
void keep_flags(std::array<std::uint8_t, n>& sources, std::uint8_t& count) {
    std::uint8_t kept = 0;
    for (std::uint8_t i = 0; i < count; ++i)
        if (sources[i] >= unit::carry) sources[kept++] = sources[i];
    count = kept;
}

// Which one a MOV to a control register writes: the middle of its last byte, and a bit of the REX prefix. -1: no such
// MOV.
int control_register(std::string_view name, std::span<const std::uint8_t> bytes) {
    if ((name != "MOV64cr" && name != "MOV32cr") || bytes.size() < 3) return -1;
    const bool upper = name == "MOV64cr" && (bytes[bytes.size() - 4 + (bytes.size() < 4)] & 0xf4) == 0x44;
    return (bytes.back() >> 3 & 7) + 8 * upper;
}

std::uint16_t system_latency(const Recipe& recipe) {
    if (recipe.string || !recipe.system || recipe.system->drains) return 1;
    const std::uint32_t cycles = recipe.system->latency ? recipe.system->latency : recipe.system->cycles.likely;
    return static_cast<std::uint16_t>(std::clamp<std::uint32_t>(cycles, 1, 10'000));
}

bool same_sources(const Operands& operands) {
    std::uint8_t seen = 0xff;
    for (unsigned i = 0; i < operands.count; ++i) {
        const RegisterUse& use = operands.registers[i];
        if (use.written || use.unit >= unit::carry) continue;
        if (seen != 0xff && seen != use.unit) return false;
        seen = use.unit;
    }
    return seen != 0xff;
}

}  // namespace

struct RecipeBook::Parts {
    std::string_view name;
    const Cost* cost = nullptr;
    unsigned latency = 0;
    std::array<std::uint8_t, 16> sources{}, results{};
    std::uint8_t source_count = 0, result_count = 0;
    bool load = false, store = false;

    bool overwrites() const {  // a source
        return std::any_of(results.begin(), results.begin() + result_count, [&](std::uint8_t result) {
            return std::find(sources.begin(), sources.begin() + source_count, result) != sources.begin() + source_count;
        });
    }
};

RecipeBook::RecipeBook(const Cpu& cpu) : cpu_(cpu), machine_(cpu.machine) {}

const Cost* RecipeBook::cost(std::string_view name) const {
    const Cost* found = cpu_.overlay.find(name);
    return found ? found : cpu_.scheduling.find(name);
}

// What a total's range is made of.
void RecipeBook::add_guess(const Cost* cost, Recipe& recipe) const {
    recipe.known = cost || cpu_.ideal;
    if (!recipe.known) recipe.guessed = std::max<std::uint16_t>(recipe.latency, 1);
    if (!cost || !is_guess(cost->provenance)) return;
    recipe.guessed = cost->latency;
    recipe.less = cost->latency - cost->low;
    recipe.more = cost->high - cost->latency;
}

// LEA by the parts of its address. Of three, base and displacement are added first, the index a cycle later.
void RecipeBook::make_lea(const MemoryOperand& address, const Parts& parts, Recipe& recipe) {
    const bool index = address.index != no_register, base = address.base != no_register;
    const bool three = index && address.displacement != 0 && (base || address.scale > 1);
    const Cost* plain = cost(index && address.scale > 1 ? "LEA.scaled" : "LEA.simple");
    recipe.known = plain || cpu_.ideal;
    const std::uint32_t units = plain && !plain->uses.empty() ? plain->uses[0].units : 0;
    if (three) {
        Operation& first = operations_.emplace_back();
        first.units = units;
        first.latency = 1;
        if (base) add(first.sources, first.source_count, address.base);
        add(first.results, first.result_count, value::computed);
        ++recipe.operations;
    }
    Operation& last = operations_.emplace_back();
    last.units = units;
    last.latency = 1;
    if (three) add(last.sources, last.source_count, value::computed);
    else if (base) add(last.sources, last.source_count, address.base);
    if (index) add(last.sources, last.source_count, address.index);
    for (unsigned i = 0; i < parts.result_count; ++i) add(last.results, last.result_count, parts.results[i]);
    ++recipe.operations;
}

// ADD64rm, ADD64mr, ADD64mi8: what ADD64rr and ADD64ri8 cost.
const Cost* RecipeBook::register_form(std::string_view name) const {
    static constexpr std::pair<std::string_view, std::string_view> forms[] = {
        {"rmi", "rri"}, {"rmr", "rrr"}, {"rrm", "rrr"}, {"rm", "rr"}, {"mr", "rr"},
        {"mi", "ri"},   {"m1", "r1"},   {"mCL", "rCL"}, {"m", "r"}};
    for (const auto& [memory, registers] : forms) {
        for (auto at = name.rfind(memory); at != name.npos && at > 0; at = name.rfind(memory, at - 1)) {
            std::string changed(name);
            changed.replace(at, memory.size(), registers);
            if (const Cost* found = cost(changed)) return found;
        }
    }
    return nullptr;
}

// One operation a use of a unit. Of several cycles on several units that is so many operations, on a single one it is a
// unit that is taken for longer. The first has the latency; the others only take their units.
void RecipeBook::add_compute(const Parts& parts, Recipe& recipe) {
    bool first = true;
    const auto emit = [&](std::uint32_t units, unsigned busy) {
        Operation& operation = operations_.emplace_back();
        operation.units = units;
        operation.busy = static_cast<std::uint16_t>(busy);
        operation.vector = units & machine_.vector_units;
        for (unsigned i = 0; i < parts.source_count; ++i)
            add(operation.sources, operation.source_count, parts.sources[i]);
        if (first) {
            operation.latency = static_cast<std::uint16_t>(parts.latency);
            for (unsigned i = 0; i < parts.result_count; ++i)
                add(operation.results, operation.result_count, parts.results[i]);
        }
        first = false;
        ++recipe.operations;
    };
    const std::size_t begin = operations_.size();
    for (const UnitUse& use : parts.cost->uses) {
        if (use.units & machine_.load_units) continue;
        const bool several = use.units & (use.units - 1);
        const unsigned count = several ? use.cycles : 1;
        for (unsigned i = 0; i < count && recipe.operations < 24; ++i) emit(use.units, several ? 1 : use.cycles);
    }
    if (first) emit(0, 0);
    if (operations_.size() - begin > 1 && parts.overwrites()) {
        // The others read what was there before: the results are named when all of them have started.
        Operation& latest = operations_.emplace_back();
        Operation& maker = operations_[begin];
        latest.vector = maker.vector;
        latest.sources[latest.source_count++] = value::computed;
        latest.results = std::exchange(maker.results, {value::computed});
        latest.result_count = std::exchange(maker.result_count, std::uint8_t{1});
        ++recipe.operations;
    }
}

// A load that makes rbp, and rsp from the old rbp beside it.
void RecipeBook::make_leave(const MemoryOperand& load, const Parts& parts, Recipe& recipe) {
    constexpr std::uint8_t rbp = 5;
    Operation& pointer = operations_.emplace_back();
    pointer.units = parts.cost && !parts.cost->uses.empty() ? parts.cost->uses.front().units : 0;
    pointer.latency = 1;
    add(pointer.sources, pointer.source_count, rbp);
    add(pointer.results, pointer.result_count, rsp);
    Operation& loaded = operations_.emplace_back();
    loaded.kind = OperationKind::load;
    loaded.units = machine_.load_units;
    loaded.latency = static_cast<std::uint16_t>(machine_.load_integer);
    add(loaded.sources, loaded.source_count, rbp);
    add(loaded.results, loaded.result_count, rbp);
    recipe.operations = 2;
    recipe.known = parts.cost || cpu_.ideal;
    recipe.half_slots = static_cast<std::uint8_t>(2 * (parts.cost ? parts.cost->uops : 1));
    recipe.load_bytes = static_cast<std::uint8_t>(load.size);
    recipe.base = rbp;
    recipe.stack_written = true;
}

Recipe RecipeBook::make(const Instruction& instruction, const Operands& operands, std::string_view name,
                        std::span<const std::uint8_t> bytes, std::optional<unsigned> quotient_bits) {
    Recipe recipe;
    recipe.first = static_cast<std::uint32_t>(operations_.size());
    recipe.branch = instruction.flow != Flow::next;
    recipe.locked = instruction.locked;
    if (name.starts_with("PREFETCH")) {  // a load that nobody waits for
        Operation& operation = operations_.emplace_back();
        operation.units = machine_.load_units;
        recipe.operations = 1;
        return recipe;
    }
    if (instruction.special == Special::nop || name.starts_with("NOOP") || name == "ENDBR64") {
        recipe.kind = RecipeKind::nop;
        recipe.half_slots = machine_.nops_paired ? 1 : 2;
        return recipe;
    }
    if (instruction.special == Special::string) recipe.string = cpu_.overlay.string(name, instruction.rep);
    if (!special_name(instruction.special).empty()) {
        recipe.system = cpu_.overlay.system(instruction.special, name, control_register(name, bytes));
    }
    Parts parts{.name = name};
    const MemoryOperand* load = nullptr;
    const MemoryOperand* store = nullptr;
    for (unsigned i = 0; i < instruction.operand_count; ++i) {
        if (instruction.memory[i].kind != AccessKind::store) load = &instruction.memory[i];
        if (instruction.memory[i].kind != AccessKind::load) store = &instruction.memory[i];
    }
    const bool stack = starts_with_any(name, {"PUSH", "POP", "CALL", "RET"}) && !name.starts_with("POPCNT");
    recipe.stack_engine = stack;
    for (unsigned i = 0; i < operands.count; ++i) {
        const RegisterUse& use = operands.registers[i];
        if (stack && use.unit == rsp) continue;
        if (!use.written || use.merged) add(parts.sources, parts.source_count, use.unit);
        if (use.written) add(parts.results, parts.result_count, use.unit);
    }
    // A 64-bit instruction's moves rename.
    if (!load && !store && is_eliminated_move(name) && parts.source_count == 1 && parts.result_count == 1) {
        recipe.kind = RecipeKind::move;
        recipe.from = parts.sources[0], recipe.to = parts.results[0];
        recipe.stack_sync = recipe.from == rsp, recipe.stack_written = recipe.to == rsp;
        return recipe;
    }
    if ((name == "XCHG64rr" || name == "XCHG32rr" || name == "XCHG64ar" || name == "XCHG32ar") &&
        parts.result_count == 2) {
        recipe.kind = RecipeKind::exchange;
        recipe.from = parts.results[0], recipe.to = parts.results[1];
        recipe.half_slots = 4;
        return recipe;
    }
    if (!load && !store && same_sources(operands) && is_zero_idiom(name)) {
        recipe.kind = RecipeKind::idiom;
        Operation& operation = operations_.emplace_back();
        for (unsigned i = 0; i < parts.result_count; ++i)
            add(operation.results, operation.result_count, parts.results[i]);
        recipe.operations = 1;
        // Vector zeroing of a legacy instruction still takes a unit (measured: four a cycle).
        if (name[0] != 'V' && is_vector(parts.results[0])) operation.units = machine_.zeroing_units;
        return recipe;
    }
    if (!load && !store && same_sources(operands) && breaks_dependency(name))
        keep_flags(parts.sources, parts.source_count);

    if (name.starts_with("LEA") && name != "LEAVE" && name != "LEAVE64") {
        recipe.stack_sync = operands.address[0] == rsp;
        recipe.stack_written = parts.result_count && parts.results[0] == rsp;
        make_lea(instruction.memory[0], parts, recipe);
        return recipe;
    }
    if (load && (name == "LEAVE64" || name == "LEAVE")) {
        parts.cost = cost(name);
        make_leave(*load, parts, recipe);
        return recipe;
    }
    // The pattern fnstcw;fldcw shows no chain: the control word that is stored is not waited for.
    if (name == "FNSTCW16m") parts.source_count = 0;
    // A total: one operation that the accesses belong to, as long as its results take.
    const Cost total{.uops = 1, .latency = system_latency(recipe)};
    const Cost* own = recipe.system || recipe.string ? &total : cost(name);
    Cost by_value;
    if (own && own->quotient_bits && quotient_bits) {
        by_value = *own;
        by_value.latency = static_cast<std::uint16_t>(own->quotient_latency + *quotient_bits / own->quotient_bits);
        by_value.low = by_value.high = by_value.latency;
        own = &by_value;
    }
    parts.load = load, parts.store = store;
    parts.cost = own;
    parts.latency = own ? own->latency : 1;
    const MemoryOperand* operand = load ? load : store;
    if (operand && operand->base < 16) recipe.base = operand->base;
    if (operand && operand->index < 16) recipe.index = operand->index;
    recipe.stack_sync = !stack && (std::find(parts.sources.begin(), parts.sources.begin() + parts.source_count, rsp) !=
                                       parts.sources.begin() + parts.source_count ||
                                   recipe.base == rsp || operands.address[0] == rsp);
    recipe.stack_written = !stack && std::find(parts.results.begin(), parts.results.begin() + parts.result_count,
                                               rsp) != parts.results.begin() + parts.result_count;
    recipe.latency = static_cast<std::uint16_t>(parts.latency);
    if ((load || store) && own != &total) {
        const Cost* plain = cpu_.overlay.find(name) ? nullptr : register_form(name);
        if (plain && plain->advance == 0) {
            parts.cost = plain;
            parts.latency = plain->latency;
        } else if (own) {
            const unsigned part = own->advance ? own->advance : is_vector(parts.results[0]) ? 7u : 4u;
            parts.latency = own->latency > part ? own->latency - part : own->latency ? 1u : 0u;
        }
    }
    add_guess(own, recipe);
    static const Cost unknown{.uops = 1, .latency = 1, .advance = 0, .uses = {}};
    if (!parts.cost) parts.cost = &unknown;
    recipe.half_slots = static_cast<std::uint8_t>(2 * std::clamp<unsigned>(own ? own->uops : 1, 1, 60));

    const bool vector_data = (parts.result_count && is_vector(parts.results[0])) ||
                             (parts.source_count && std::any_of(parts.sources.begin(),
                                                                parts.sources.begin() + parts.source_count, is_vector));
    std::uint8_t addresses[2] = {operands.address[0], operands.address[1]};
    const auto address_sources = [&](Operation& operation, const MemoryOperand& of) {
        if (of.base != no_register && !(stack && of.base == rsp))
            add(operation.sources, operation.source_count, of.base);
        if (of.index != no_register) add(operation.sources, operation.source_count, of.index);
        if (!stack && addresses[1] != 0xff) add(operation.sources, operation.source_count, addresses[1]);
    };
    const bool moves_only =
        (load || store) &&
        (starts_with_any(name, {"MOV", "VMOV", "PUSH", "POP", "LDDQU", "VLDDQU", "VBROADCAST", "KMOV"}) &&
         !name.starts_with("POPCNT") && !name.starts_with("MOVBE")) &&
        !starts_with_any(name, {"MOVHP", "MOVLP", "VMOVHP", "VMOVLP", "POPF", "PUSHF"});
    if (load) {
        Operation& operation = operations_.emplace_back();
        operation.kind = OperationKind::load;
        operation.units = machine_.load_units;
        operation.latency = static_cast<std::uint16_t>(
            (vector_data ? machine_.load_vector : machine_.load_integer) +
            (load->index != no_register && load->scale > 1 && !vector_data ? machine_.load_indexed : 0));
        address_sources(operation, *load);
        add(operation.results, operation.result_count, value::loaded);
        ++recipe.operations;
        recipe.load_bytes = static_cast<std::uint8_t>(std::min<unsigned>(load->size, 64));
        recipe.vector_load = vector_data;
        const bool simple =
            moves_only || (store && !starts_with_any(name, {"XADD", "XCHG", "CMPXCHG", "BT", "SH", "RO", "RC", "SA"}));
        recipe.load_name = vector_data || !simple || recipe.locked ? 0 : operand_name(*load);
        if (vector_data) {
            Operation& port = operations_.emplace_back();
            port.units = machine_.vector_load_units;
            port.vector = true;
            port.busy = load->size > 32 ? 2 : 1;
            add(port.sources, port.source_count, value::loaded);
            ++recipe.operations;
        }
    }
    if (recipe.locked) {
        recipe.locked_cycles = static_cast<std::uint8_t>(name.starts_with("CMPXCHG16") ? 14
                                                         : name.starts_with("CMPXCHG") ? 9
                                                                                       : 7);
    }
    if (moves_only && load && !store) {
        for (unsigned i = 0; i < parts.result_count; ++i) {
            Operation& operation = operations_[recipe.first];
            add(operation.results, operation.result_count, parts.results[i]);
        }
    } else if (!moves_only) {
        if (load) add(parts.sources, parts.source_count, value::loaded);
        if (store) add(parts.results, parts.result_count, value::computed);
        add_compute(parts, recipe);
    }
    if (store) {
        Operation& address = operations_.emplace_back();
        address.kind = OperationKind::store_address;
        address.units = machine_.store_units;
        address.latency = 1;
        address_sources(address, *store);
        Operation& data = operations_.emplace_back();
        data.kind = OperationKind::store_data;
        data.vector = vector_data;
        data.units = vector_data ? machine_.vector_store_units : 0;
        data.busy = store->size > 32 ? 2 : 1;
        data.latency = 1;
        if (!moves_only) add(data.sources, data.source_count, value::computed);
        else if (load) add(data.sources, data.source_count, value::loaded);
        else
            for (unsigned i = 0; i < parts.source_count; ++i) add(data.sources, data.source_count, parts.sources[i]);
        recipe.operations += 2;
        recipe.store_bytes = static_cast<std::uint8_t>(std::min<unsigned>(store->size, 64));
        recipe.vector_store = vector_data;
        recipe.store_name = vector_data || recipe.locked ? 0 : operand_name(*store);
    }
    return recipe;
}

void RecipeBook::fuse(const Recipe& compare, Recipe& branch) {
    branch.fused = true;
    for (unsigned i = 0; i < branch.operations; ++i) operations_[branch.first + i].units = 0;
    for (unsigned i = 0; i < compare.operations; ++i)
        if (Operation& operation = operations_[compare.first + i]; operation.kind == OperationKind::compute)
            operation.units = machine_.branch_units;
}

bool RecipeBook::fuses(std::string_view compare, const Instruction& instruction, const Operands&,
                       std::string_view branch) {
    if (!branch.starts_with("JCC")) return false;
    if (instruction.operand_count &&
        (instruction.memory[0].kind != AccessKind::load || compare.find("mi") != compare.npos))
        return false;  // nor do those that have memory and an immediate
    return starts_with_any(compare, {"CMP8", "CMP16", "CMP32", "CMP64", "TEST",  "ADD8",  "ADD16", "ADD32", "ADD64",
                                     "SUB8", "SUB16", "SUB32", "SUB64", "AND8",  "AND16", "AND32", "AND64", "OR8",
                                     "OR16", "OR32",  "OR64",  "XOR8",  "XOR16", "XOR32", "XOR64", "INC",   "DEC"});
}

}  // namespace sim::timing
