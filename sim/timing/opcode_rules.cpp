// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/timing/opcode_rules.hpp>

namespace sim::timing {

namespace {

constexpr std::uint8_t rsp = 4;

}  // namespace

bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> starts) {
    return std::ranges::any_of(starts, [&](std::string_view start) { return name.starts_with(start); });
}

bool is_eliminated_move(std::string_view name) {
    if (name == "MOV32rr" || name == "MOV64rr" || name == "MOV32rr_REV" || name == "MOV64rr_REV") return true;
    if (name.find("rr") == name.npos || name.find("rrk") != name.npos) return false;
    return starts_with_any(name,
                           {"MOVAPSrr",  "MOVAPDrr",   "MOVUPSrr",   "MOVUPDrr",   "MOVDQArr",  "MOVDQUrr", "VMOVAPSrr",
                            "VMOVAPDrr", "VMOVUPSrr",  "VMOVUPDrr",  "VMOVDQArr",  "VMOVDQUrr", "VMOVAPSY", "VMOVAPDY",
                            "VMOVUPSY",  "VMOVUPDY",   "VMOVDQAY",   "VMOVDQUY",   "VMOVAPSZ",  "VMOVAPDZ", "VMOVUPSZ",
                            "VMOVUPDZ",  "VMOVDQA32Z", "VMOVDQA64Z", "VMOVDQU32Z", "VMOVDQU64Z"});
}

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

bool is_exchange(std::string_view name) {
    return name == "XCHG64rr" || name == "XCHG32rr" || name == "XCHG64ar" || name == "XCHG32ar";
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

bool uses_stack_engine(std::string_view name) {
    return starts_with_any(name, {"PUSH", "POP", "CALL", "RET"}) && !name.starts_with("POPCNT");
}

bool moves_only(std::string_view name) {
    return starts_with_any(name, {"MOV", "VMOV", "PUSH", "POP", "LDDQU", "VLDDQU", "VBROADCAST", "KMOV"}) &&
           !starts_with_any(name, {"POPCNT", "MOVBE", "MOVHP", "MOVLP", "VMOVHP", "VMOVLP", "POPF", "PUSHF"});
}

bool leaves_alone(std::string_view name, std::uint8_t unit) {
    constexpr std::uint8_t rax = 0;
    return unit == rax && (name == "CQO" || name == "CDQ" || name == "CWD");
}

bool fuses_with_move(std::string_view name) {
    return starts_with_any(name, {"ADD32r", "ADD64r", "SUB32r", "SUB64r", "AND32r", "AND64r", "OR32r", "OR64r",
                                  "XOR32r", "XOR64r", "NOT32r", "NOT64r", "INC32r", "INC64r", "DEC32r", "DEC64r"});
}

// The condition is in the last byte of the opcode, 0F 4x: BE, A (carry and zero), L, GE, LE, G (sign and overflow).
bool has_two_flag_groups(std::string_view name, std::span<const std::uint8_t> bytes) {
    if (!name.starts_with("CMOV")) return false;
    const auto escape = std::ranges::find(bytes, 0x0f);
    if (bytes.end() - escape < 2 || escape[1] >> 4 != 4) return false;
    const unsigned condition = escape[1] & 15;
    return condition == 6 || condition == 7 || condition >= 12;
}

bool renames_load(std::string_view name, bool stores, unsigned bytes, bool any) {
    if (any)
        return !(starts_with_any(name, {"MOVZX", "MOVSX"}) && bytes < 4) &&
               !starts_with_any(name, {"XADD", "XCHG", "CMPXCHG", "BT", "POPF", "LDMXCSR", "FLD"});
    return moves_only(name) ||
           (stores && !starts_with_any(name, {"XADD", "XCHG", "CMPXCHG", "BT", "SH", "RO", "RC", "SA"}));
}

bool fuses(std::string_view compare, const Instruction& instruction, std::string_view branch) {
    if (!branch.starts_with("JCC")) return false;
    if (instruction.operand_count &&
        (instruction.memory[0].kind != AccessKind::load || compare.find("mi") != compare.npos))
        return false;  // nor do those that have memory and an immediate
    return starts_with_any(compare, {"CMP8", "CMP16", "CMP32", "CMP64", "TEST",  "ADD8",  "ADD16", "ADD32", "ADD64",
                                     "SUB8", "SUB16", "SUB32", "SUB64", "AND8",  "AND16", "AND32", "AND64", "OR8",
                                     "OR16", "OR32",  "OR64",  "XOR8",  "XOR16", "XOR32", "XOR64", "INC",   "DEC"});
}

std::uint32_t operand_name(const MemoryOperand& operand, bool any) {
    if (operand.size != 4 && operand.size != 8 && !(any && operand.size < 4)) return 0;
    if (operand.segment == SegmentBase::fs || operand.segment == SegmentBase::gs) return 0;
    if (operand.base == rsp && operand.index == no_register) return 1;
    std::uint64_t hash = operand.base * 31u + operand.index;
    hash = hash * 37 + operand.scale;
    hash = (hash * 0x9e3779b97f4a7c15ull + static_cast<std::uint64_t>(operand.displacement)) * 0x9e3779b97f4a7c15ull;
    return static_cast<std::uint32_t>(hash >> 32) | 2;
}

// The middle of its last byte, and a bit of the REX prefix.
int control_register(std::string_view name, std::span<const std::uint8_t> bytes) {
    if ((name != "MOV64cr" && name != "MOV32cr") || bytes.size() < 3) return -1;
    const bool upper = name == "MOV64cr" && (bytes[bytes.size() - 4 + (bytes.size() < 4)] & 0xf4) == 0x44;
    return (bytes.back() >> 3 & 7) + 8 * upper;
}

}  // namespace sim::timing
