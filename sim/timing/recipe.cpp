// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/timing/opcode_rules.hpp>
#include <sim/timing/recipe.hpp>
#include <string>
#include <utility>

namespace sim::timing {

namespace {

constexpr std::uint8_t rsp = 4;

bool is_vector(std::uint8_t unit) { return unit >= unit::vector && unit < unit::mask + 8; }

template <std::size_t n>
void add(std::array<std::uint8_t, n>& list, std::uint8_t& count, std::uint8_t value) {
    if (count < n && std::find(list.begin(), list.begin() + count, value) == list.begin() + count)
        list[count++] = value;
}

std::uint16_t system_latency(const Recipe& recipe) {
    if (recipe.string || !recipe.system || recipe.system->drains) return 1;
    const std::uint32_t cycles = recipe.system->latency ? recipe.system->latency : recipe.system->cycles.likely;
    return static_cast<std::uint16_t>(std::clamp<std::uint32_t>(cycles, 1, 10'000));
}

}  // namespace

// Registers read or written, each once.
struct RegisterList {
    std::array<std::uint8_t, 16> units{};
    std::uint8_t count = 0;

    const std::uint8_t* begin() const { return units.begin(); }
    const std::uint8_t* end() const { return units.begin() + count; }
    void add(std::uint8_t unit) { timing::add(units, count, unit); }
    bool contains(std::uint8_t unit) const { return std::find(begin(), end(), unit) != end(); }
    bool has_vector() const { return std::any_of(begin(), end(), is_vector); }
    // Of an instruction that does not depend on its register: SBB of one with itself still does on the carry.
    void keep_flags() {
        count = static_cast<std::uint8_t>(
            std::remove_if(units.begin(), units.begin() + count, [](std::uint8_t unit) { return unit < unit::carry; }) -
            units.begin());
    }
    void add_to(auto& list, std::uint8_t& length) const {
        for (const std::uint8_t unit : *this) timing::add(list, length, unit);
    }
};

// What an instruction is made of, for the operations that do its work.
struct RecipeBook::Parts {
    std::string_view name;
    const Operands& operands;
    RegisterList sources, results;
    const MemoryOperand* load = nullptr;
    const MemoryOperand* store = nullptr;
    const Cost* cost = nullptr;  // of what it computes
    unsigned latency = 0;
    bool stack = false;        // its rsp is the stack engine's
    bool vector_data = false;  // moves vectors
    bool moves_only = false;   // to or from memory

    Parts(const Instruction&, const Operands&, std::string_view opcode_name);
    bool memory() const { return load || store; }
    bool overwrites() const {  // a source
        return std::any_of(results.begin(), results.end(), [&](std::uint8_t unit) { return sources.contains(unit); });
    }
};

RecipeBook::Parts::Parts(const Instruction& instruction, const Operands& of, std::string_view opcode_name)
    : name(opcode_name), operands(of), stack(uses_stack_engine(opcode_name)) {
    for (unsigned i = 0; i < instruction.operand_count; ++i) {
        if (instruction.memory[i].kind != AccessKind::store) load = &instruction.memory[i];
        if (instruction.memory[i].kind != AccessKind::load) store = &instruction.memory[i];
    }
    for (unsigned i = 0; i < operands.count; ++i) {
        const RegisterUse& use = operands.registers[i];
        if (stack && use.unit == rsp) continue;
        if (use.written && leaves_alone(name, use.unit)) continue;
        if (!use.written || use.merged) sources.add(use.unit);
        if (use.written) results.add(use.unit);
    }
    vector_data = (results.count && is_vector(results.units[0])) || sources.has_vector();
    moves_only = memory() && timing::moves_only(name);
    if (!memory() && same_sources(operands) && breaks_dependency(name)) sources.keep_flags();
    // The pattern fnstcw;fldcw shows no chain: the control word that is stored is not waited for.
    if (name == "FNSTCW16m") sources.count = 0;
}

RecipeBook::RecipeBook(const Cpu& cpu) : cpu_(cpu), machine_(cpu.machine) {}

const Cost* RecipeBook::cost(std::string_view name) const {
    const Cost* found = cpu_.overlay.find(name);
    return found ? found : cpu_.scheduling.find(name);
}

// What a total's range is made of.
void RecipeBook::add_guess(const Cost* cost, Recipe& recipe) const {
    recipe.known = (cost && cost->provenance != Provenance::placeholder) || cpu_.ideal;
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
    const Cost* plain = three ? cost("LEA.three") : index || base ? nullptr : cost("LEA.constant");
    if (!plain) plain = cost(index && address.scale > 1 ? "LEA.scaled" : "LEA.simple");
    recipe.known = plain || cpu_.ideal;
    const std::uint32_t units = plain && !plain->uses.empty() ? plain->uses[0].units : 0;
    const Provenance rests = plain ? plain->provenance : Provenance::placeholder;
    if (three) {
        Operation& first = operations_.emplace_back();
        first.rests = rests;
        first.units = units;
        first.latency = 1;
        if (base) add(first.sources, first.source_count, address.base);
        add(first.results, first.result_count, value::computed);
        ++recipe.operations;
    }
    Operation& last = operations_.emplace_back();
    last.rests = rests;
    last.units = units;
    last.latency = 1;
    if (three) add(last.sources, last.source_count, value::computed);
    else if (base) add(last.sources, last.source_count, address.base);
    if (index) add(last.sources, last.source_count, address.index);
    parts.results.add_to(last.results, last.result_count);
    ++recipe.operations;
    recipe.stack_sync = parts.operands.address[0] == rsp;
    recipe.stack_written = parts.results.contains(rsp);
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
        operation.rests = parts.cost->provenance;
        operation.units = units;
        operation.busy = static_cast<std::uint16_t>(busy);
        operation.vector = units & machine_.vector_units;
        parts.sources.add_to(operation.sources, operation.source_count);
        if (first) {
            operation.latency = static_cast<std::uint16_t>(parts.latency);
            operation.kin = parts.cost->kin;
            operation.shortcut = static_cast<std::uint8_t>(parts.cost->shortcut);
            parts.results.add_to(operation.results, operation.result_count);
        }
        first = false;
        ++recipe.operations;
    };
    const std::size_t begin = operations_.size();
    for (const UnitUse& use : parts.cost->uses) {
        if (use.units & machine_.load_units) continue;
        if (parts.store && use.units == machine_.store_data_units()) continue;  // add_store's
        const bool several = use.units & (use.units - 1);
        const unsigned count = several ? use.cycles : 1;
        for (unsigned i = 0; i < count && recipe.operations < 24; ++i) emit(use.units, several ? 1 : use.cycles);
    }
    if (first) emit(0, 0);
    if (operations_.size() - begin > 1 && parts.overwrites()) {
        // The others read what was there before: the results are named when all of them have started.
        Operation& latest = operations_.emplace_back();
        Operation& maker = operations_[begin];
        latest.rests = maker.rests;
        latest.vector = maker.vector;
        latest.sources[latest.source_count++] = value::computed;
        latest.results = std::exchange(maker.results, {value::computed});
        latest.result_count = std::exchange(maker.result_count, std::uint8_t{1});
        ++recipe.operations;
    }
}

// Flags of two groups are put together first, where the CPU has a cost for that.
void RecipeBook::add_flags(Parts& parts, Recipe& recipe) {
    const Cost* const together = cost("CMOV.flags");
    if (!together || together->uses.empty()) return;
    Operation& operation = operations_.emplace_back();
    operation.units = together->uses.front().units;
    operation.latency = together->latency;
    RegisterList others;
    for (const std::uint8_t unit : parts.sources)
        if (unit >= unit::carry && unit < unit::count) add(operation.sources, operation.source_count, unit);
        else others.add(unit);
    others.add(value::computed);
    parts.sources = others;
    add(operation.results, operation.result_count, value::computed);
    ++recipe.operations;
}

// A load that makes rbp, and rsp from the old rbp beside it.
void RecipeBook::make_leave(const Parts& parts, Recipe& recipe) {
    constexpr std::uint8_t rbp = 5;
    const Cost* const own = cost(parts.name);
    Operation& pointer = operations_.emplace_back();
    pointer.units = own && !own->uses.empty() ? own->uses.front().units : 0;
    pointer.rests = own ? own->provenance : Provenance::placeholder;
    pointer.latency = 1;
    add(pointer.sources, pointer.source_count, rbp);
    add(pointer.results, pointer.result_count, rsp);
    Operation& loaded = operations_.emplace_back();
    loaded.kind = OperationKind::load;
    loaded.rests = machine_.from.load_integer;
    loaded.units = machine_.load_units;
    loaded.latency = static_cast<std::uint16_t>(machine_.load_integer);
    add(loaded.sources, loaded.source_count, rbp);
    add(loaded.results, loaded.result_count, rbp);
    recipe.operations = 2;
    recipe.known = own || cpu_.ideal;
    recipe.half_slots = static_cast<std::uint8_t>(2 * (own ? own->uops : 1));
    recipe.load_bytes = static_cast<std::uint8_t>(parts.load->size);
    recipe.base = rbp;
    recipe.stack_written = true;
}

// What renaming alone does, or does without its operands. False: the instruction is none of these.
bool RecipeBook::make_renamed(const Parts& parts, Recipe& recipe) {
    if (parts.memory()) return false;
    if (is_eliminated_move(parts.name) && parts.sources.count == 1 && parts.results.count == 1) {
        recipe.kind = RecipeKind::move;
        recipe.from = parts.sources.units[0], recipe.to = parts.results.units[0];
        recipe.stack_sync = recipe.from == rsp, recipe.stack_written = recipe.to == rsp;
        return true;
    }
    if (is_exchange(parts.name) && parts.results.count == 2) {
        recipe.kind = RecipeKind::exchange;
        recipe.from = parts.results.units[0], recipe.to = parts.results.units[1];
        recipe.half_slots = 4;
        return true;
    }
    if (!same_sources(parts.operands) || !is_zero_idiom(parts.name)) return false;
    recipe.kind = RecipeKind::idiom;
    Operation& operation = operations_.emplace_back();
    operation.rests = machine_.from.dispatch_width;
    parts.results.add_to(operation.results, operation.result_count);
    recipe.operations = 1;
    // Vector zeroing of a legacy instruction still takes a unit (measured: four a cycle).
    if (parts.name[0] != 'V' && is_vector(parts.results.units[0])) operation.units = machine_.zeroing_units;
    return true;
}

// The cost of what it computes, beside its load and store.
void RecipeBook::choose_cost(const Cost* own, bool is_total, Parts& parts, Recipe& recipe) const {
    parts.cost = own;
    parts.latency = own ? own->latency : 1;
    recipe.latency = static_cast<std::uint16_t>(parts.latency);
    if (parts.memory() && !is_total) {
        const Cost* plain = cpu_.overlay.find(parts.name) ? nullptr : register_form(parts.name);
        if (plain && plain->advance == 0) {
            parts.cost = plain;
            parts.latency = plain->latency;
        } else if (own) {
            const bool vector = parts.results.count && is_vector(parts.results.units[0]);
            const unsigned load = own->advance ? own->advance : vector ? machine_.load_vector : machine_.load_integer;
            parts.latency = own->latency > load ? own->latency - load : own->latency ? 1u : 0u;
        }
    }
    if (!is_total) add_guess(own, recipe);
    static const Cost unknown{.uops = 1, .latency = 1, .provenance = Provenance::placeholder};
    if (!parts.cost) parts.cost = &unknown;
    // Where a load or a store shares the slot of what it belongs to, LLVM counts one more for each of the two.
    const int shared = cpu_.micro_fusion && !is_total ? (parts.load != nullptr) + (parts.store != nullptr) : 0;
    recipe.half_slots = static_cast<std::uint8_t>(2 * std::clamp<int>((own ? own->uops : 1) - shared, 1, 120));
}

// The registers that an address is made of.
void RecipeBook::add_address(const Parts& parts, const MemoryOperand& of, Operation& operation) {
    if (of.base != no_register)  // rsp, too: the stack engine knows what was added, but waits for what was written
        add(operation.sources, operation.source_count, of.base);
    if (of.index != no_register) add(operation.sources, operation.source_count, of.index);
    if (!parts.stack && parts.operands.address[1] != 0xff)
        add(operation.sources, operation.source_count, parts.operands.address[1]);
}

void RecipeBook::add_load(const Parts& parts, Recipe& recipe) {
    const MemoryOperand& load = *parts.load;
    Operation& operation = operations_.emplace_back();
    operation.kind = OperationKind::load;
    operation.rests = parts.vector_data ? machine_.from.load_vector : machine_.from.load_integer;
    operation.units = machine_.load_units;
    if (const Cost* special = cpu_.overlay.find(parts.name); special && special->uses.size() == 1)
        if (const std::uint32_t some = special->uses[0].units & machine_.load_units) operation.units = some;
    const bool indexed = load.index != no_register && load.scale > 1 && !parts.vector_data;
    operation.latency = static_cast<std::uint16_t>((parts.vector_data ? machine_.load_vector : machine_.load_integer) +
                                                   (indexed ? machine_.load_indexed : 0));
    add_address(parts, load, operation);
    add(operation.results, operation.result_count, value::loaded);
    if (parts.moves_only && !parts.store) parts.results.add_to(operation.results, operation.result_count);
    ++recipe.operations;
    recipe.load_bytes = static_cast<std::uint8_t>(std::min<unsigned>(load.size, 64));
    recipe.vector_load = parts.vector_data;
    const bool renamed = !parts.vector_data && !recipe.locked &&
                         renames_load(parts.name, parts.store, load.size, machine_.renaming_by_address);
    recipe.load_name = renamed ? operand_name(load, machine_.renaming_by_address) : 0;
    if (!parts.vector_data) return;
    Operation& port = operations_.emplace_back();
    port.units = machine_.vector_load_units;
    port.rests = machine_.from.load_vector;
    port.vector = true;
    port.busy = load.size > machine_.vector_path_bytes ? 2 : 1;
    add(port.sources, port.source_count, value::loaded);
    ++recipe.operations;
}

void RecipeBook::add_store(const Parts& parts, Recipe& recipe) {
    const MemoryOperand& store = *parts.store;
    Operation& address = operations_.emplace_back();
    address.kind = OperationKind::store_address;
    address.rests = parts.cost->provenance;
    address.units = machine_.store_units;
    address.latency = 1;
    add_address(parts, store, address);
    Operation& data = operations_.emplace_back();
    data.kind = OperationKind::store_data;
    data.rests = parts.cost->provenance;
    data.vector = parts.vector_data;
    const std::uint32_t any_data = machine_.store_data_units();
    data.units = parts.vector_data ? machine_.vector_store_units : any_data;
    data.busy = store.size > (any_data ? machine_.vector_path_bytes : 32) ? 2 : 1;
    data.latency = 1;
    if (!parts.moves_only) add(data.sources, data.source_count, value::computed);
    else if (parts.load) add(data.sources, data.source_count, value::loaded);
    else parts.sources.add_to(data.sources, data.source_count);
    recipe.operations += 2;
    recipe.store_bytes = static_cast<std::uint8_t>(std::min<unsigned>(store.size, 64));
    recipe.vector_store = parts.vector_data;
    recipe.nontemporal = starts_with_any(parts.name, {"MOVNT", "VMOVNT"});
    recipe.store_name = parts.vector_data || recipe.locked ? 0 : operand_name(store, machine_.renaming_by_address);
}

// A load, what is computed and a store, as far as there are any.
void RecipeBook::make_ordinary(Parts& parts, Recipe& recipe) {
    if (const MemoryOperand* operand = parts.load ? parts.load : parts.store) {
        if (operand->base < 16) recipe.base = operand->base;
        if (operand->index < 16) recipe.index = operand->index;
    }
    recipe.stack_sync =
        !parts.stack && (parts.sources.contains(rsp) || recipe.base == rsp || parts.operands.address[0] == rsp);
    recipe.stack_written = !parts.stack && parts.results.contains(rsp);
    if (recipe.locked)
        recipe.locked_cycles =
            static_cast<std::uint8_t>(parts.name.starts_with("CMPXCHG16") ? machine_.locked_compare_16
                                      : parts.name.starts_with("CMPXCHG") ? machine_.locked_compare
                                                                          : machine_.locked);
    if (parts.load) add_load(parts, recipe);
    if (!parts.moves_only) {
        if (parts.load) parts.sources.add(value::loaded);
        if (parts.store) parts.results.add(value::computed);
        add_compute(parts, recipe);
    }
    if (parts.store) add_store(parts, recipe);
}

Recipe RecipeBook::make(const Instruction& instruction, const Operands& operands, std::string_view name,
                        std::span<const std::uint8_t> bytes, std::optional<unsigned> quotient_bits) {
    Recipe recipe;
    recipe.first = static_cast<std::uint32_t>(operations_.size());
    recipe.branch = instruction.flow != Flow::next;
    recipe.locked = instruction.locked;
    if (name.starts_with("PREFETCH")) {  // a load that nobody waits for
        Operation& operation = operations_.emplace_back();
        operation.rests = machine_.from.load_integer;
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
    if (!special_name(instruction.special).empty())
        recipe.system = cpu_.overlay.system(instruction.special, name, control_register(name, bytes));
    Parts parts(instruction, operands, name);
    recipe.stack_engine = parts.stack;
    if (make_renamed(parts, recipe)) return recipe;
    if (parts.load && name.starts_with("LEAVE")) {
        make_leave(parts, recipe);
        return recipe;
    }
    if (name.starts_with("LEA")) {
        make_lea(instruction.memory[0], parts, recipe);
        return recipe;
    }
    // A total: one operation that the accesses belong to, as long as its results take.
    const Cost total{.uops = 1,
                     .latency = system_latency(recipe),
                     .provenance = recipe.system   ? recipe.system->evidence.provenance
                                   : recipe.string ? recipe.string->evidence.provenance
                                                   : Provenance::placeholder};
    const bool is_total = recipe.system || recipe.string;
    const Cost* own = is_total ? &total : cost(name);
    Cost by_value;
    if (own && own->quotient_bits && quotient_bits) {
        by_value = *own;
        by_value.latency = static_cast<std::uint16_t>(own->quotient_latency + *quotient_bits / own->quotient_bits);
        by_value.low = by_value.high = by_value.latency;
        own = &by_value;
    }
    choose_cost(own, is_total, parts, recipe);
    if (!parts.memory() && has_two_flag_groups(name, bytes)) add_flags(parts, recipe);
    make_ordinary(parts, recipe);
    return recipe;
}

void RecipeBook::fuse_move(const Recipe& move, std::string_view name, const Operands& operands, Recipe& next) const {
    if (!machine_.move_fusion || move.kind != RecipeKind::move || next.kind != RecipeKind::ordinary) return;
    if (next.load_bytes || next.store_bytes || is_vector(move.to) || !fuses_with_move(name)) return;
    const auto uses = std::span(operands.registers).first(operands.count);
    const auto writes = std::ranges::find_if(uses, [](const RegisterUse& use) { return use.written; });
    if (writes != uses.end() && writes->unit == move.to) next.fused = true;
}

void RecipeBook::fuse(const Recipe& compare, Recipe& branch) {
    branch.fused = true;
    for (unsigned i = 0; i < branch.operations; ++i) operations_[branch.first + i].units = 0;
    for (unsigned i = 0; i < compare.operations; ++i)
        if (Operation& operation = operations_[compare.first + i]; operation.kind == OperationKind::compute)
            operation.units = machine_.branch_units;
}

}  // namespace sim::timing
