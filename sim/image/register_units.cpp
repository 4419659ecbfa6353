// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <charconv>
#include <sim/image/register_units.hpp>
#include <string>

namespace sim::detail {

namespace {

constexpr std::string_view general_names[] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                              "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};

// The number behind a prefix ("XMM12" behind "XMM"), or -1.
int number_behind(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix) || name.size() == prefix.size()) return -1;
    int number = -1;
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    return error == std::errc() && end == name.data() + name.size() ? number : -1;
}

enum class FlagPart { carry, others, both };

// Of a condition as encoded (SDM 2D B.1.4.7): b, ae; be, a; the rest.
FlagPart condition_part(std::int64_t condition) {
    switch (condition >> 1) {
        case 1:
            return FlagPart::carry;
        case 3:
            return FlagPart::both;
        default:
            return FlagPart::others;
    }
}

FlagPart parts_read(const llvm::MCInst& inst, std::string_view name) {
    for (const std::string_view start : {"JCC", "SETCC", "CMOV"})
        if (name.starts_with(start) && inst.getNumOperands() != 0 && inst.getOperand(inst.getNumOperands() - 1).isImm())
            return condition_part(inst.getOperand(inst.getNumOperands() - 1).getImm());
    for (const std::string_view start : {"ADC", "SBB", "RCL", "RCR", "CMC", "SALC"})
        if (name.starts_with(start)) return FlagPart::carry;
    return name.starts_with("ADOX") ? FlagPart::others : FlagPart::both;
}

FlagPart parts_written(std::string_view name) {
    for (const std::string_view start : {"INC", "DEC", "ADOX"})
        if (name.starts_with(start)) return FlagPart::others;
    for (const std::string_view start : {"BT", "STC", "CLC", "CMC", "ADCX", "ROL", "ROR", "RCL", "RCR"})
        if (name.starts_with(start)) return FlagPart::carry;
    return FlagPart::both;
}

void add_flags(Operands& out, FlagPart part, bool written) {
    const auto add = [&](std::uint8_t which) {
        if (out.count < Operands::most) out.registers[out.count++] = {which, 0, written, false, false};
    };
    if (part != FlagPart::others) add(unit::carry);
    if (part != FlagPart::carry) add(unit::flags);
}

}  // namespace

RegisterUnits::RegisterUnits(const llvm::MCRegisterInfo& registers) : known_(registers.getNumRegs()) {
    for (unsigned reg = 1; reg < registers.getNumRegs(); ++reg) {
        const std::string_view name = registers.getName(reg);
        if (name == "EFLAGS") flags_ = reg;
        if (name == "MXCSR") known_[reg] = {unit::mxcsr, 4, false, false};
        if (name == "FPCW" || name == "FPSW") known_[reg] = {unit::x87_state, 2, false, false};
        const auto add = [&](std::string_view prefix, std::uint8_t first, std::uint8_t bytes, int most) {
            if (const int number = number_behind(name, prefix); number >= 0 && number < most)
                known_[reg] = {static_cast<std::uint8_t>(first + number), bytes, false, false};
        };
        add("XMM", unit::vector, 16, 32);
        add("YMM", unit::vector, 32, 32);
        add("ZMM", unit::vector, 64, 32);
        add("K", unit::mask, 8, 8);
        add("ST", unit::x87, 10, 8);
        add("FP", unit::x87, 10, 7);
        add("MM", unit::x87, 8, 8);
        const auto found = std::ranges::find(general_names, name);
        if (found == std::end(general_names)) continue;
        const auto number = static_cast<std::uint8_t>(found - std::begin(general_names));
        for (const unsigned part : registers.subregs_inclusive(reg)) {
            const std::string_view part_name = registers.getName(part);
            const bool dword = part_name.starts_with('E') || part_name.ends_with('D');
            const bool high = part_name.size() == 2 && part_name[1] == 'H';
            const bool byte = part_name.ends_with('L') || part_name.ends_with('B') || high;
            const std::uint8_t bytes = part == reg ? 8 : dword ? 4 : byte && part_name != "BP" ? 1 : 2;
            known_[part] = {number, bytes, bytes < 4, high};
        }
    }
}

void RegisterUnits::add(Operands& out, unsigned reg, bool written) const {
    const Known& known = known_[reg];
    if (known.unit == 0xff || out.count == Operands::most) return;
    out.registers[out.count++] = {known.unit, known.bytes, written, written && known.merges, known.high};
}

Operands RegisterUnits::list(const llvm::MCInst& inst, const llvm::MCInstrDesc& description, std::string_view name,
                             unsigned memory) const {
    Operands out;
    for (unsigned i = 0; i < inst.getNumOperands(); ++i) {
        const auto& operand = inst.getOperand(i);
        if (i >= memory && i < memory + 5) {
            out.encoded_memory = true;
            const bool base = i == memory, index = i == memory + 2;
            if (operand.isReg() && operand.getReg() && (base || index))
                out.address[index] = known_[operand.getReg().id()].unit;
            continue;
        }
        if (operand.isImm()) out.has_immediate = true, out.immediate = operand.getImm();
        if (operand.isReg() && operand.getReg()) add(out, operand.getReg().id(), i < description.getNumDefs());
    }
    for (const auto reg : description.implicit_uses()) {
        if (reg == flags_) add_flags(out, parts_read(inst, name), false);
        else add(out, reg, false);
    }
    for (const auto reg : description.implicit_defs()) {
        if (reg == flags_) add_flags(out, parts_written(name), true);
        else add(out, reg, true);
    }
    return out;
}

}  // namespace sim::detail
