// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <devenv/exit_status.hpp>
#include <devenv/validation/block_model.hpp>
#include <sim/image/decoder.hpp>
#include <sim/timing/block_run.hpp>

namespace devenv {

namespace {

using sim::Flow;
using sim::Instruction;
using sim::Special;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// What ring 3 may not do, or what would change the measuring process itself.
bool must_not_run(Special special) {
    switch (special) {
        case Special::plain:
        case Special::nop:
        case Special::pause:
        case Special::rdtsc:
        case Special::rdtscp:
        case Special::pushf:
        case Special::popf:
        case Special::lfence:
        case Special::mfence:
        case Special::sfence:
        case Special::rdrand:
        case Special::xgetbv:
        case Special::fxsave:
        case Special::fxrstor:
        case Special::xsave:
        case Special::xrstor:
        case Special::clflush:
        case Special::string:
        case Special::unsupported:
            return false;  // VEX and EVEX: the CPU has them or says so by SIGILL
        default:
            return true;
    }
}

// Hypervisor calls, enclaves, transactions, waiting, and the state of protection keys and shadow stacks: LLVM's names.
bool must_not_run(std::string_view name) {
    for (const std::string_view part :
         {"VMCALL", "VMMCALL", "VMFUNC",  "VMGEXIT",     "ENCLU",    "ENCLS",   "ENCLV",   "XBEGIN",  "XABORT",
          "XEND",   "MWAIT",   "MONITOR", "UMWAIT",      "UMONITOR", "TPAUSE",  "WRPKRU",  "PKRU",    "SENDUIPI",
          "STUI",   "CLUI",    "RDPMC",   "SYSENTER",    "PCONFIG",  "MOV16sr", "MOV32sr", "MOV64sr", "MOV16sm",
          "POPFS",  "POPGS",   "POPDS",   "POPES",       "POPSS",    "LFS",     "LGS",     "LSS",     "LDS",
          "LES",    "LWPCB",   "PTWRITE", "SAVEPREVSSP", "RSTORSSP", "WRSS",    "WRUSS",   "INCSSP"})
        if (name.starts_with(part)) return true;
    return false;
}

Category category_of(std::span<const std::uint8_t> bytes, const sim::Operands& operands) {
    bool vector = false;
    for (unsigned i = 0; i < operands.count; ++i) {
        const unsigned unit = operands.registers[i].unit;
        vector = vector || (unit >= sim::unit::vector && unit < sim::unit::x87);
    }
    std::size_t at = 0;
    constexpr std::array<std::uint8_t, 7> prefixes = {0x66, 0x67, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    while (at < bytes.size() && std::ranges::find(prefixes, bytes[at]) != prefixes.end()) ++at;
    const std::uint8_t first = at < bytes.size() ? bytes[at] : 0;
    if (first == 0x62) return Category::avx512;
    if (!vector) return Category::integer;
    return first == 0xc4 || first == 0xc5 ? Category::avx : Category::sse;
}

// Latency of the result after its register sources, as a textbook has it; an L1 hit takes 4 more.
unsigned textbook_latency(std::string_view name) {
    if (contains(name, "DIV") || contains(name, "SQRT")) return 13;
    if (contains(name, "FMADD") || contains(name, "FMSUB") || contains(name, "FNMADD")) return 4;
    if (name.starts_with("IMUL") || name.starts_with("MUL")) return 3;
    for (const std::string_view ending : {"PSrr", "PDrr", "SSrr", "SDrr", "PSrm", "PDrm", "SSrm", "SDrm"})
        if ((contains(name, "ADD") || contains(name, "SUB") || contains(name, "MUL")) && contains(name, ending))
            return 3;
    return 1;
}

// An instruction in a chain of dependences through registers.
struct Link {
    std::vector<std::uint8_t> sources, results;
    unsigned latency;
};

Link link_of(const Instruction& instruction, const sim::Operands& operands, std::string_view name) {
    Link link{{}, {}, textbook_latency(name)};
    bool loads = false;
    for (unsigned i = 0; i < instruction.operand_count; ++i)
        loads = loads || instruction.memory[i].kind != sim::AccessKind::store;
    const bool moves = contains(name, "MOV") || name.starts_with("POP");
    if (loads) link.latency = 4 + (moves ? 0 : link.latency);
    constexpr std::uint8_t stack_pointer = 4;
    const bool stack_engine = name.starts_with("PUSH") || (name.starts_with("POP") && !name.starts_with("POPCNT"));
    for (unsigned i = 0; i < operands.count; ++i) {
        const sim::RegisterUse& use = operands.registers[i];
        if (stack_engine && use.unit == stack_pointer) continue;
        if (!use.written || use.merged) link.sources.push_back(use.unit);
        if (use.written) link.results.push_back(use.unit);
    }
    const bool can_be_zeroing = contains(name, "XOR") || name.starts_with("SUB");
    if (can_be_zeroing && !loads && link.sources.size() > 1 &&
        std::ranges::all_of(link.sources, [&](std::uint8_t unit) { return unit == link.sources.front(); }))
        link.sources.clear();
    for (const std::uint8_t unit : operands.address)
        if (unit < sim::unit::count && !(stack_engine && unit == stack_pointer)) link.sources.push_back(unit);
    return link;
}

struct Suspicion {
    const char* what;
    bool (*here)(std::string_view name, const Instruction&, const sim::Operands&);
};
constexpr Suspicion suspicions[] = {
    {"a locked operation", [](std::string_view, const Instruction& i, const sim::Operands&) { return i.locked; }},
    {"a string instruction",
     [](std::string_view, const Instruction& i, const sim::Operands&) { return i.special == Special::string; }},
    {"a system instruction",
     [](std::string_view, const Instruction& i, const sim::Operands&) {
         return i.special != Special::plain && i.special != Special::nop && i.special != Special::string &&
                i.special != Special::unsupported;
     }},
    {"division, whose time depends on its values",
     [](std::string_view n, const Instruction&, const sim::Operands&) {
         return contains(n, "DIV") || contains(n, "SQRT");
     }},
    {"a gather, scatter or compress",
     [](std::string_view n, const Instruction&, const sim::Operands&) {
         return contains(n, "GATHER") || contains(n, "SCATTER") || contains(n, "COMPRESS") || contains(n, "EXPAND");
     }},
    {"x87",
     [](std::string_view, const Instruction&, const sim::Operands& o) {
         for (unsigned k = 0; k < o.count; ++k)
             if (o.registers[k].unit >= sim::unit::x87 && o.registers[k].unit < sim::unit::carry) return true;
         return false;
     }},
    {"an 8-bit register above another (ah)",
     [](std::string_view, const Instruction&, const sim::Operands& o) {
         for (unsigned k = 0; k < o.count; ++k)
             if (o.registers[k].high) return true;
         return false;
     }},
    {"a partial register write",
     [](std::string_view, const Instruction&, const sim::Operands& o) {
         for (unsigned k = 0; k < o.count; ++k)
             if (o.registers[k].merged && o.registers[k].unit < sim::unit::vector) return true;
         return false;
     }},
    {"a shift or rotate through flags",
     [](std::string_view n, const Instruction&, const sim::Operands&) {
         return n.starts_with("RC") || n.starts_with("SHLD") || n.starts_with("SHRD") || contains(n, "rCL");
     }},
    {"a move between register files",
     [](std::string_view n, const Instruction&, const sim::Operands&) {
         return contains(n, "CVT") || contains(n, "MOVMSK") || contains(n, "MOVD") || contains(n, "MOVQ") ||
                contains(n, "MOV64to") || contains(n, "PEXTR") || contains(n, "PINSR") || n.starts_with("KMOV");
     }},
};

// A store, and later (or in the next iteration) a load that may be of the same bytes: same base, index and segment.
bool forwards(const std::vector<Instruction>& code) {
    for (const Instruction& one : code)
        for (unsigned s = 0; s < one.operand_count; ++s) {
            const sim::MemoryOperand& store = one.memory[s];
            if (store.kind == sim::AccessKind::rmw) return true;
            if (store.kind != sim::AccessKind::store) continue;
            for (const Instruction& other : code)
                for (unsigned l = 0; l < other.operand_count; ++l) {
                    const sim::MemoryOperand& load = other.memory[l];
                    if (load.kind == sim::AccessKind::load && load.base == store.base && load.index == store.index &&
                        load.displacement < store.displacement + store.size &&
                        store.displacement < load.displacement + load.size)
                        return true;
                }
        }
    return false;
}

}  // namespace

std::string_view category_name(Category category) {
    constexpr std::array names = {"integer", "SSE", "AVX", "AVX-512"};
    return names[static_cast<std::size_t>(category)];
}

struct BlockModel::Parts {
    explicit Parts(const std::string& name) : cpu(name), timer(name), decoder(sim::Decoder::make()) {}

    std::string cpu;
    sim::timing::BlockTimer timer;
    std::unique_ptr<sim::Decoder> decoder;
};

BlockModel::BlockModel(const std::string& cpu) : parts_(std::make_unique<Parts>(cpu)) {}
BlockModel::~BlockModel() = default;

const std::string& BlockModel::cpu() const { return parts_->cpu; }

Prediction BlockModel::predict(std::span<const std::uint8_t> bytes) {
    sim::timing::BlockTimer& timer = parts_->timer;
    const auto block = timer.read(bytes, sim::timing::BlockMode::unrolled);
    Prediction prediction;
    for (const sim::timing::BlockInstruction& one : block.instructions)
        prediction.known = prediction.known && one.recipe.known;
    prediction.cycles = timer.throughput(block);
    return prediction;
}

BlockFacts BlockModel::facts(std::span<const std::uint8_t> bytes) {
    constexpr std::uint64_t base = 0x400000;
    BlockFacts facts;
    std::array<bool, std::size(suspicions)> suspected{};
    std::vector<Instruction> code;
    sim::Decoder& decoder = *parts_->decoder;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto decoded = decoder.decode(bytes.subspan(at), base + at);
        if (!decoded) {
            BlockFacts none;
            none.undecodable = "no instruction at byte " + std::to_string(at);
            return none;
        }
        const Instruction one = *decoded;
        const sim::Operands operands = decoder.operands();
        const std::string name(decoder.opcode_name(one.opcode));
        const std::string text = decoder.text(bytes.subspan(at), base + at);
        facts.text.push_back(text);
        facts.text_att.push_back(decoder.text(bytes.subspan(at), base + at, sim::Syntax::att));
        facts.category = std::max(facts.category, category_of(bytes.subspan(at, one.length), operands));
        facts.memory = facts.memory || one.operand_count > 0;
        for (std::size_t i = 0; i < std::size(suspicions); ++i)
            suspected[i] = suspected[i] || suspicions[i].here(name, one, operands);
        if (one.flow != Flow::next || must_not_run(one.special) || must_not_run(name)) {
            const bool branch = one.flow != Flow::next && one.flow != Flow::trap && one.flow != Flow::stop;
            const std::string why = text + (branch ? ": a branch" : ": a system instruction");
            if (facts.not_measured.empty()) facts.not_measured = why;
            if (facts.not_modelled.empty() && !branch) facts.not_modelled = why;
        }
        code.push_back(one);
        at += one.length;
    }
    facts.instructions = static_cast<unsigned>(code.size());
    if (code.empty()) facts.undecodable = "an empty block";
    if (forwards(code)) facts.suspicious.push_back("a load of what was stored shortly before");
    for (std::size_t i = 0; i < std::size(suspicions); ++i)
        if (suspected[i]) facts.suspicious.push_back(suspicions[i].what);
    return facts;
}

double BlockModel::naive(std::span<const std::uint8_t> bytes) {
    std::vector<Link> code;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto decoded = parts_->decoder->decode(bytes.subspan(at), 0x400000 + at);
        if (!decoded) throw std::runtime_error("no instruction at byte " + std::to_string(at));
        code.push_back(link_of(*decoded, parts_->decoder->operands(), parts_->decoder->opcode_name(decoded->opcode)));
        at += decoded->length;
    }
    constexpr unsigned warm = 20, rounds = 60;
    std::array<double, sim::unit::count> ready{};
    double longest = 0, longest_when_warm = 0;
    for (unsigned round = 0; round < rounds; ++round) {
        if (round == warm) longest_when_warm = longest;
        for (const Link& one : code) {
            double start = 0;
            for (const std::uint8_t source : one.sources) start = std::max(start, ready[source]);
            for (const std::uint8_t result : one.results) ready[result] = start + one.latency;
            longest = std::max(longest, start + one.latency);
        }
    }
    return std::max(static_cast<double>(code.size()) / 6, (longest - longest_when_warm) / (rounds - warm));
}

}  // namespace devenv
