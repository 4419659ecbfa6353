// SPDX-License-Identifier: GPL-2.0-or-later
// What the CPU refuses and Unicorn 2.1.4 lets pass: bits that are reserved, and addresses that do not exist.
#include <regs/control.hpp>
#include <regs/pc.hpp>
#include <sim/unicorn/cpu.hpp>
#include <sim/unicorn/opcode_bytes.hpp>

namespace sim::unicorn {

namespace {
constexpr unsigned physical_bits = 52;  // all that the engine looks at: it drops what is above

bool announced(const CpuidTable& cpuid, const regs::CpuidBit& it) {
    const CpuidResult r = cpuid(it.leaf, it.subleaf);
    const std::uint32_t words[] = {r.eax, r.ebx, r.ecx, r.edx};
    return words[it.reg] >> it.bit & 1;
}

// CR4 bits that are not reserved on the CPU that CPUID describes (APM2 3.1.3).
std::uint64_t cr4_bits(const CpuidTable& cpuid) {
    using namespace regs;
    constexpr std::uint64_t vme = 1u << 0, pvi = 1u << 1, pce = 1u << 8;
    constexpr CpuidBit has_pcid{1, 0, 2, 17}, has_xsave{1, 0, 2, 26};
    std::uint64_t bits = vme | pvi | pce | cr4::tsd | cr4::de | cr4::pse | cr4::pae | cr4::mce | cr4::pge |
                         cr4::osfxsr | cr4::osxmmexcpt;
    const auto add = [&](const CpuidBit& feature, std::uint64_t bit) { bits |= announced(cpuid, feature) ? bit : 0; };
    add(cpuid::fsgsbase, cr4::fsgsbase), add(cpuid::smep, cr4::smep), add(cpuid::smap, cr4::smap);
    add(cpuid::umip, cr4::umip), add(has_pcid, cr4::pcide), add(has_xsave, cr4::osxsave);
    return bits;
}

std::uint64_t efer_bits(const CpuidTable& cpuid) {  // APM2 3.1.7
    constexpr std::uint64_t ffxsr = 1u << 14;
    constexpr regs::CpuidBit has_ffxsr{0x8000'0001, 0, 3, 25};
    return regs::efer::sce | regs::efer::lme | regs::efer::lma |
           (announced(cpuid, regs::cpuid::nx) ? regs::efer::nxe : 0) | (announced(cpuid, has_ffxsr) ? ffxsr : 0);
}
}  // namespace

Opcode Cpu::opcode_of(const Instruction& instruction) const {
    const CodeBlock& code = recorder_.block()->code;
    return skip_prefixes(&code.bytes[instruction.address - code.address]);
}

// Would the CPU raise #GP(0) for this WRMSR or MOV to a control register? Asked in ring 0; elsewhere the engine does.
bool Cpu::control_value_faults(const Instruction& instruction) const {
    using namespace regs;
    const bool paging = state_->cr[0] & cr0::pg;
    if (instruction.special == Special::wrmsr) {
        if (std::uint32_t(state_->general[1]) != msr::efer) return false;
        const std::uint64_t value = state_->general[2] << 32 | std::uint32_t(state_->general[0]);
        return (value & ~efer_bits(cpuid_)) || (paging && ((value ^ *view_.efer) & efer::lme));
    }
    const Opcode opcode = opcode_of(instruction);
    if (opcode.at[1] != 0x22) return false;  // CLTS, LMSW
    const std::uint64_t value =
        view_.code64() ? state_->general[opcode.rm()] : std::uint32_t(state_->general[opcode.rm()]);
    switch (opcode.reg()) {
        case 0:
            // Paging cannot end in 64-bit mode.
            return value >> 32 || (paging && view_.code64() && !(value & cr0::pg)) ||
                   ((value & cr0::pg) && !(value & cr0::pe)) || ((value & cr0::nw) && !(value & cr0::cd));
        case 4:
            return (value & ~cr4_bits(cpuid_)) ||
                   (paging && (state_->hidden_flags & hidden_long) && !(value & cr4::pae));
        default:
            return false;
    }
}

// Does the I/O permission map of the TSS let this privilege level reach the port (SDM 1 19.5.2)?
bool Cpu::io_permitted(const Instruction& instruction) {
    constexpr unsigned map_base = 102, tss_least = 103;
    const Opcode opcode = opcode_of(instruction);
    const bool immediate = (*opcode.at & 0xf4) == 0xe4 && !(*opcode.at & 8);  // E4-E7; others have the port in DX
    const unsigned port = immediate ? opcode.at[1] : std::uint16_t(state_->general[2]);
    const unsigned bytes = !(*opcode.at & 1) ? 1 : opcode.operand16 ? 2 : 4;
    std::uint16_t base = 0, map = 0;
    if (state_->tr.limit < tss_least || space_.read(state_->tr.base + map_base, &base, sizeof base)) return false;
    const unsigned at = base + port / 8;
    if (at + 1 > state_->tr.limit || space_.read(state_->tr.base + at, &map, sizeof map)) return false;
    return !(map >> port % 8 & ((1u << bytes) - 1));
}

// Is this an IDIV of the least dividend, -2^63, by -1? The engine would divide so itself, and SIGFPE would end the
// process.
bool Cpu::division_overflows(const Instruction& instruction) {
    constexpr std::uint32_t least_high = 0x8000'0000, minus_one = 0xffff'ffff;
    if (std::uint32_t(state_->general[2]) != least_high || std::uint32_t(state_->general[0]) != 0) return false;
    const CodeBlock& code = recorder_.block()->code;
    const std::uint64_t offset = instruction.address - code.address;
    if (offset + instruction.length > code.bytes.size() || !is_idiv32(&code.bytes[offset], instruction.code_bits))
        return false;
    if (instruction.operand_count == 0) {
        const Opcode opcode = opcode_of(instruction);
        return std::uint32_t(state_->general[(opcode.at[1] & 7) | (opcode.rex & 1) << 3]) == minus_one;
    }
    std::uint32_t divisor = 0;
    return !space_.read(operand_address(instruction.memory[0]), &divisor, sizeof divisor) && divisor == minus_one;
}

// Without paging an address is a physical one, of which the engine drops the upper bits. True: the run has ended.
bool Cpu::beyond_physical(const Instruction& instruction) {
    if (instruction.address >> physical_bits) {
        stop_outside(instruction.address, "instruction fetch", instruction.address);
        return true;
    }
    if (instruction.rep && !repeat_count(instruction)) return false;
    for (unsigned i = 0; i < instruction.operand_count; ++i) {
        const MemoryOperand& operand = instruction.memory[i];
        const std::uint64_t address = operand_address(operand);
        if (!(address >> physical_bits)) continue;
        stop_outside(address, operand.kind == AccessKind::load ? "read" : "write", instruction.address);
        return true;
    }
    return false;
}

}  // namespace sim::unicorn
