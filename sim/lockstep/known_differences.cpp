// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <initializer_list>
#include <sim/lockstep/known_differences.hpp>

namespace sim::lockstep {

namespace {

enum Flags : std::uint64_t { cf = 1, pf = 4, af = 0x10, zf = 0x40, sf = 0x80, of = 0x800 };

bool begins(std::string_view opcode, std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
        // A width follows the mnemonic: "SHL32rCL" is no "SHLD32rrCL".
        return opcode.starts_with(name) && opcode.size() > name.size() && opcode[name.size()] >= '0' &&
               opcode[name.size()] <= '9';
    });
}

unsigned width(std::string_view opcode) {
    const auto digit = opcode.find_first_of("123468");
    if (digit == opcode.npos) return 64;
    return opcode.substr(digit).starts_with("16")   ? 16
           : opcode.substr(digit).starts_with("32") ? 32
           : opcode.substr(digit).starts_with("64") ? 64
                                                    : 8;
}

// The count of a shift or rotate: CL, an immediate in the last byte, or 1.
unsigned count(const Executed& it) {
    unsigned raw = 1;
    if (it.opcode.ends_with("CL")) raw = unsigned(it.before->general[1] & 0xff);
    else if (it.opcode.ends_with("i") || it.opcode.ends_with("i8")) raw = it.bytes[it.instruction->length - 1u];
    return raw & (width(it.opcode) == 64 ? 63 : 31);
}

std::uint64_t logic(const Executed& it) {
    return begins(it.opcode, {"AND", "OR", "XOR", "TEST"}) ? std::uint64_t{af} : 0;
}

std::uint64_t shift(const Executed& it) {
    const unsigned n = count(it);
    if (!n) return 0;
    if (begins(it.opcode, {"SHLD", "SHRD"}))
        return n > width(it.opcode) ? cf | pf | af | zf | sf | of : n > 1 ? af | of : std::uint64_t{af};
    if (!begins(it.opcode, {"SHL", "SHR", "SAR"})) return 0;
    return af | (n > 1 ? std::uint64_t{of} : 0) |
           (n >= width(it.opcode) && !it.opcode.starts_with("SAR") ? std::uint64_t{cf} : 0);
}

std::uint64_t rotate(const Executed& it) {
    return begins(it.opcode, {"ROL", "ROR", "RCL", "RCR"}) && count(it) > 1 ? std::uint64_t{of} : 0;
}

std::uint64_t multiply(const Executed& it) {
    return begins(it.opcode, {"MUL", "IMUL"}) ? sf | zf | af | pf : std::uint64_t{0};
}

std::uint64_t divide(const Executed& it) {
    return begins(it.opcode, {"DIV", "IDIV"}) ? cf | pf | af | zf | sf | of : std::uint64_t{0};
}

std::uint64_t bit_scan(const Executed& it) {
    return begins(it.opcode, {"BSF", "BSR"}) ? cf | of | sf | af | pf : std::uint64_t{0};
}

std::uint64_t bit_test(const Executed& it) {
    return begins(it.opcode, {"BT", "BTS", "BTR", "BTC"}) ? of | sf | af | pf : std::uint64_t{0};
}

std::uint64_t count_zeros(const Executed& it) {
    return begins(it.opcode, {"LZCNT", "TZCNT"}) ? of | sf | pf | af : std::uint64_t{0};
}

std::uint64_t bit_manipulation(const Executed& it) {
    if (begins(it.opcode, {"ANDN", "BLSI", "BLSR", "BLSMSK", "BZHI"})) return af | pf;
    return begins(it.opcode, {"BEXTR"}) ? sf | af | pf : std::uint64_t{0};
}

std::uint64_t syscall(const Executed& it) {
    return it.instruction->special == Special::syscall ? cf | pf | af | zf | sf | of : std::uint64_t{0};
}

// QEMU's do_interrupt64 takes every new stack for one of an inner ring. That it was no ring's change shows in the ring
// that the instruction before ran in.
bool null_ss(const Field& field, const Executed& it, const ArchitecturalState& leader) {
    constexpr std::uint64_t ring = 3;
    return field.name.starts_with("ss") && leader.segments[ArchitecturalState::ss].selector == 0 &&
           (it.before->hidden_flags & ring) == 0 && it.before->rip + it.instruction->length != leader.rip;
}

constexpr std::uint64_t exception_flags = 0x3f;  // of MXCSR and the x87 status word: IE, DE, ZE, OE, UE, PE

// The opcode behind legacy prefixes and REX.
std::span<const std::uint8_t> opcode_bytes(const Executed& it) {
    std::span<const std::uint8_t> rest = it.bytes.first(std::min<std::size_t>(it.instruction->length, it.bytes.size()));
    constexpr std::array<std::uint8_t, 11> prefixes{0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    while (!rest.empty() && std::find(prefixes.begin(), prefixes.end(), rest[0]) != prefixes.end())
        rest = rest.subspan(1);
    return !rest.empty() && (rest[0] & 0xf0) == 0x40 ? rest.subspan(1) : rest;
}

bool is_x87(const Executed& it) {
    const auto opcode = opcode_bytes(it);
    return !opcode.empty() && (opcode[0] & 0xf8) == 0xd8;
}

// Floating point: 0F 2A, 2C-2F (convert, compare), 51-53, 58-5F (arithmetic, convert), C2 (compare), D0, 7C, 7D
// (horizontal), E6 (convert); 0F 3A 08-0B, 40, 41 (round, dot product).
bool is_sse_arithmetic(const Executed& it) {
    const auto opcode = opcode_bytes(it);
    if (opcode.size() < 3 || opcode[0] != 0x0f) return false;
    const std::uint8_t one = opcode[1], two = opcode[2];
    if (one == 0x3a) return (two >= 0x08 && two <= 0x0b) || two == 0x40 || two == 0x41;
    return one == 0x2a || (one >= 0x2c && one <= 0x2f) || (one >= 0x51 && one <= 0x53) ||
           (one >= 0x58 && one <= 0x5f) || one == 0xc2 || one == 0xd0 || one == 0x7c || one == 0x7d || one == 0xe6;
}

// Unicorn's is the code of QEMU 5.0, which left them alone.
bool mxcsr_flags(const Field& field, const Executed& it, const ArchitecturalState&) {
    return field.name == "mxcsr" && is_sse_arithmetic(it) && !((field.leader ^ field.follower) & ~exception_flags) &&
           (field.leader & field.follower) == field.follower;
}

bool x87_flags(const Field& field, const Executed& it, const ArchitecturalState&) {
    constexpr std::uint64_t summary = 0x8080;  // ES and B follow from the flags and the control word
    return field.name == "x87 status" && is_x87(it) &&
           !((field.leader ^ field.follower) & ~(exception_flags | summary));
}

bool x87_constant(const Field& field, const Executed& it, const ArchitecturalState&) {
    return field.name.starts_with("x87 r") && field.name.ends_with("significand") &&
           (field.leader - field.follower == 1 || field.follower - field.leader == 1) &&
           (it.opcode == "FLDL2E" || it.opcode == "FLDL2T" || it.opcode == "FLDPI" || it.opcode == "FLDLG2" ||
            it.opcode == "FLDLN2");
}

bool x87_quieted(const Field& field, const Executed& it, const ArchitecturalState&) {
    constexpr std::uint64_t quiet = 1ull << 62;
    return field.name.starts_with("x87 r") && field.name.ends_with("significand") &&
           (field.leader ^ field.follower) == quiet && (field.leader & quiet) &&
           (it.opcode == "LD_F32m" || it.opcode == "LD_F64m");
}

// Both results are NaNs; which of two operands' it is differs.
bool x87_operand_nan(const Field& field, const Executed& it, const ArchitecturalState&) {
    constexpr std::uint64_t nan = 3ull << 62, exponent = 0x7fff;
    const auto opcode = opcode_bytes(it);
    if (opcode.size() < 2 || (opcode[0] != 0xd8 && opcode[0] != 0xdc) || opcode[1] >> 6 == 3) return false;
    if (!field.name.starts_with("x87 r")) return false;
    if (field.name.ends_with("exponent")) return (field.leader & field.follower & exponent) == exponent;
    return (field.leader & field.follower & nan) == nan;
}

bool x87_precision(const Field& field, const Executed& it, const ArchitecturalState&) {
    constexpr std::uint64_t precision = 0x300;
    return field.name.starts_with("x87 r") && is_x87(it) && (it.before->x87_control & precision) != precision;
}

bool flush_to_zero(const Field& field, const Executed& it, const ArchitecturalState&) {
    constexpr std::uint64_t flush = 0x8000;
    return field.name.starts_with("xmm") && is_sse_arithmetic(it) && (it.before->mxcsr & flush);
}

bool horizontal(const Field& field, const Executed& it, const ArchitecturalState&) {
    const std::uint8_t operands = it.bytes[it.instruction->length - 1u];  // ModRM
    return field.name.starts_with("xmm") && (it.opcode.starts_with("PHADD") || it.opcode.starts_with("PHSUB")) &&
           operands >> 6 == 3 && (operands >> 3 & 7) == (operands & 7);
}

bool cmpxchg_upper(const Field& field, const Executed& it, const ArchitecturalState&) {
    return field.name == "rax" && it.opcode.find("CMPXCHG32") != it.opcode.npos &&
           std::uint32_t(field.leader) == field.follower;
}

std::uint64_t resume(const Executed&) { return 1u << 16; }

constexpr std::array table{
    KnownDifference{"logic-af", "AF after AND, OR, XOR, TEST", "AF", "undefined (SDM 2: AND, OR, XOR, TEST)",
                    Fault::undefined, logic},
    KnownDifference{
        "shift-flags", "flags after SHL, SHR, SAR, SHLD, SHRD by a count that is not 0",
        "AF; OF if the count is above 1; CF of SHL and SHR by the width or more; all of SHLD and SHRD beyond "
        "the width",
        "undefined (SDM 2: SAL/SAR/SHL/SHR, SHLD, SHRD)", Fault::undefined, shift},
    KnownDifference{"rotate-of", "OF after ROL, ROR, RCL, RCR by a count above 1", "OF",
                    "undefined (SDM 2: RCL/RCR/ROL/ROR)", Fault::undefined, rotate},
    KnownDifference{"multiply-flags", "flags after MUL and IMUL", "SF, ZF, AF, PF", "undefined (SDM 2: MUL, IMUL)",
                    Fault::undefined, multiply},
    KnownDifference{"divide-flags", "flags after DIV and IDIV", "CF, OF, SF, ZF, AF, PF",
                    "undefined (SDM 2: DIV, IDIV)", Fault::undefined, divide},
    KnownDifference{"bit-scan-flags", "flags after BSF and BSR", "CF, OF, SF, AF, PF", "undefined (SDM 2: BSF, BSR)",
                    Fault::undefined, bit_scan},
    KnownDifference{"bit-test-flags", "flags after BT, BTS, BTR, BTC", "OF, SF, AF, PF", "undefined (SDM 2: BT)",
                    Fault::undefined, bit_test},
    KnownDifference{"count-zeros-flags", "flags after LZCNT and TZCNT", "OF, SF, PF, AF",
                    "undefined (SDM 2: LZCNT, TZCNT)", Fault::undefined, count_zeros},
    KnownDifference{"bmi-flags", "flags after ANDN, BLSI, BLSR, BLSMSK, BZHI, BEXTR", "AF, PF; SF of BEXTR",
                    "undefined (SDM 2: ANDN, BLSI, BLSR, BLSMSK, BZHI, BEXTR)", Fault::undefined, bit_manipulation},
    KnownDifference{"syscall-flags", "arithmetic flags behind SYSCALL", "CF, OF, SF, ZF, AF, PF",
                    "QEMU clears them; RFLAGS is to become RFLAGS and not FMASK (SDM 2: SYSCALL)", Fault::qemu,
                    syscall},
    KnownDifference{"ist-ss", "SS after an exception or interrupt in ring 0 whose gate has an IST stack", "SS is null",
                    "QEMU loads a null SS; SS changes with the ring only (SDM 3A 6.14.4)", Fault::qemu, nullptr,
                    null_ss},
    KnownDifference{"mxcsr-flags", "exception flags of MXCSR behind SSE arithmetic", "MXCSR bits 0-5, missing",
                    "Unicorn never sets them (SDM 1 11.5)", Fault::unicorn, nullptr, mxcsr_flags},
    KnownDifference{"x87-flags", "exception flags of the x87 status word", "bits 0-5, 7 and 15",
                    "Unicorn sets few of them (invalid, inexact and denormal ones are missing; SDM 1 8.5)",
                    Fault::unicorn, nullptr, x87_flags},
    KnownDifference{"resume-flag", "RF some instructions after an IRETQ that set it", "RF",
                    "Unicorn clears it at the end of a translated block, not after one instruction (SDM 3B 17.3.1.1)",
                    Fault::unicorn, resume},
    KnownDifference{"x87-constants", "FLDPI, FLDL2E, FLDL2T, FLDLG2, FLDLN2 with a rounding mode set",
                    "the last bit of the significand", "Unicorn does not round them (SDM 2A: FLD1/FLDL2T/...)",
                    Fault::unicorn, nullptr, x87_constant},
    KnownDifference{"x87-signalling-load", "FLD of a signalling NaN of 32 or 64 bits",
                    "bit 62 of the significand, missing", "Unicorn does not make it quiet (SDM 1 4.8.3)",
                    Fault::unicorn, nullptr, x87_quieted},
    KnownDifference{"x87-signalling-operand",
                    "FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR of a signalling NaN in memory and a quiet one in ST0",
                    "which NaN it is",
                    "QEMU makes the operand quiet as it loads it and takes the larger; ST0 is due (SDM 1 4.8.3.5)",
                    Fault::qemu, nullptr, x87_operand_nan},
    KnownDifference{"x87-precision", "x87 registers with a precision of 24 or 53 bits set",
                    "x87 registers, precision control less than 64 bits",
                    "QEMU rounds what is loaded too; only ADD, SUB, MUL, DIV and SQRT are to (SDM 1 8.1.5.2)",
                    Fault::qemu, nullptr, x87_precision},
    KnownDifference{"flush-to-zero", "results of SSE arithmetic with MXCSR.FTZ set", "XMM registers, MXCSR.FTZ set",
                    "Unicorn applies FTZ to x87 instead (SDM 1 10.2.3.3)", Fault::unicorn, nullptr, flush_to_zero},
    KnownDifference{"cmpxchg-upper", "the upper half of RAX behind a CMPXCHG of 32 bits that found its value",
                    "RAX bits 32-63, cleared", "Unicorn writes EAX, which is to stay as it was (SDM 2A: CMPXCHG)",
                    Fault::unicorn, nullptr, cmpxchg_upper},
    KnownDifference{"horizontal-alias", "PHADDW, PHADDD, PHADDSW, PHSUBW, PHSUBD, PHSUBSW of a register with itself",
                    "XMM registers", "Unicorn overwrites its source while it reads it (SDM 2B: PHADDW/PHADDD)",
                    Fault::unicorn, nullptr, horizontal},
    KnownDifference{"fxsave-pointers", "FOP, FIP, FDP in the image of FXSAVE",
                    "not generated: it is memory that differs", "Unicorn stores zeros (SDM 1 8.1.8)", Fault::unicorn,
                    nullptr},
    KnownDifference{"idt-error-code", "the error code of INT n through a gate that is absent or too privileged",
                    "not generated: the frame in memory differs",
                    "QEMU counts 16 bytes a gate, not 8: n * 16 + 2 (SDM 3A 6.13)", Fault::qemu, nullptr},
    KnownDifference{"cr-reserved", "MOV to CR0 or CR4 with reserved bits or impossible ones", "not generated",
                    "QEMU takes CR0's and leaves a virtual machine that is none for CR4's; #GP is due (SDM 2B: MOV CR)",
                    Fault::qemu, nullptr},
    KnownDifference{"idiv-least", "IDIV of 16 or 32 bits of the least dividend, -2^31 or -2^63, by -1", "not generated",
                    "QEMU divides so itself and is ended by SIGFPE; #DE is due (SDM 2A: IDIV)", Fault::qemu, nullptr},
    KnownDifference{"ltr-null", "LTR of a null selector", "not generated",
                    "QEMU and Unicorn take it, QEMU then ends at the first IST; #GP is due (SDM 2A: LTR)", Fault::qemu,
                    nullptr},
};

}  // namespace

std::string_view name(Fault fault) {
    constexpr std::array names{"undefined", "QEMU 7.2", "Unicorn 2.1.4", "Bochs 2.7", "machine"};
    return names[std::size_t(fault)];
}

std::span<const KnownDifference> known_differences() { return table; }

std::vector<const KnownDifference*> explain_flags(std::uint64_t differing, const Executed& executed) {
    std::vector<const KnownDifference*> result;
    std::uint64_t left = differing;
    for (const KnownDifference& known : table) {
        if (!known.flags) continue;
        const std::uint64_t bits = known.flags(executed);
        if (!(bits & differing)) continue;
        left &= ~bits;
        result.push_back(&known);
    }
    if (left) result.clear();
    return result;
}

std::vector<const KnownDifference*> explain(std::span<const Field> fields, const Executed& executed,
                                            const ArchitecturalState& leader) {
    std::vector<const KnownDifference*> result;
    for (const Field& field : fields) {
        std::vector<const KnownDifference*> found;
        if (field.name == "rflags") found = explain_flags(field.leader ^ field.follower, executed);
        for (const KnownDifference& known : table)
            if (known.field && field.name != "rflags" && known.field(field, executed, leader)) found.push_back(&known);
        if (found.empty()) return {};
        for (const KnownDifference* known : found)
            if (std::find(result.begin(), result.end(), known) == result.end()) result.push_back(known);
    }
    return result;
}

}  // namespace sim::lockstep
