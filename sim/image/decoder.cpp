// SPDX-License-Identifier: GPL-2.0-or-later
// One instruction from bytes: LLVM decodes it, after its prefixes have been read by canonical.cpp; what LLVM leaves out
// comes from opcode_info.cpp.
#include <llvm/Config/llvm-config.h>
#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCDisassembler/MCDisassembler.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/MCTargetOptions.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/TargetParser/Triple.h>
#include <algorithm>
#include <array>
#include <mutex>
#include <sim/image/canonical.hpp>
#include <sim/image/decoder.hpp>
#include <sim/image/opcode_info.hpp>
#include <sim/image/register_units.hpp>
#include <stdexcept>
#include <vector>

namespace sim {
namespace {

using detail::Canonical;
using detail::Direction;
using detail::Implicit;

constexpr std::uint8_t rcx = 1, rbx = 3, rsp = 4, rbp = 5, rsi = 6, rdi = 7;

// Bytes of the operand that an Intel-syntax text names, 0 if it names none.
std::uint16_t printed_size(std::string_view text) {
    struct Name {
        std::string_view word;
        std::uint16_t bytes;
    };
    static constexpr Name names[] = {{"byte", 1},   {"word", 2},   {"dword", 4},    {"fword", 6},    {"qword", 8},
                                     {"tbyte", 10}, {"xword", 10}, {"xmmword", 16}, {"ymmword", 32}, {"zmmword", 64}};
    const auto end = text.find(" ptr ");
    if (end == std::string_view::npos) return 0;
    const auto start = text.find_last_of(" \t,", end - 1);
    const auto word = text.substr(start + 1, end - start - 1);
    const auto name = std::ranges::find(names, word, &Name::word);
    return name == std::end(names) ? 0 : name->bytes;
}

const char* triple_name(CodeMode mode) {
    return mode.bits == 64   ? "x86_64-unknown-none-elf"
           : mode.bits == 32 ? "i386-unknown-unknown"
                             : "i386-unknown-unknown-code16";
}

void initialise_llvm() {
    static std::once_flag once;
    std::call_once(once, [] {
        LLVMInitializeX86TargetInfo();
        LLVMInitializeX86TargetMC();
        LLVMInitializeX86Disassembler();
    });
}

class LlvmDecoder final : public Decoder {
  public:
    explicit LlvmDecoder(CodeMode mode) : mode_(mode), triple_(triple_name(mode)) {
        initialise_llvm();
        std::string error;
        const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple_, error);
        if (target == nullptr) throw std::runtime_error("LLVM has no x86 target: " + error);
        registers_.reset(target->createMCRegInfo(triple_));
        assembler_.reset(target->createMCAsmInfo(*registers_, triple_, options_));
        instructions_.reset(target->createMCInstrInfo());
        subtarget_.reset(target->createMCSubtargetInfo(triple_, "", ""));
        context_ = std::make_unique<llvm::MCContext>(triple_, assembler_.get(), registers_.get(), subtarget_.get());
        disassembler_.reset(target->createMCDisassembler(*subtarget_, *context_));
        for (const unsigned variant : {0u, 1u}) {
            auto& printer = printers_[variant];
            printer.reset(target->createMCInstPrinter(triple_, variant, *assembler_, *instructions_, *registers_));
            printer->setPrintImmHex(true);
            printer->setPrintBranchImmAsAddress(true);
        }
        index_registers();
        units_ = std::make_unique<detail::RegisterUnits>(*registers_);
        opcodes_.resize(instructions_->getNumOpcodes());
    }

    std::optional<Instruction> decode(std::span<const std::uint8_t> bytes, std::uint64_t address) override;
    Operands operands() const override;
    std::string text(std::span<const std::uint8_t> bytes, std::uint64_t address, Syntax syntax) override;
    std::string_view opcode_name(std::uint16_t opcode) const override {
        return opcode < opcodes_.size() ? std::string_view(instructions_->getName(opcode)) : std::string_view();
    }
    std::string version() const override { return LLVM_VERSION_STRING; }

  private:
    struct Opcode {
        bool known = false;
        bool lockable = false;
        detail::OpcodeInfo info;
        AccessKind kind = AccessKind::load;
    };

    void index_registers();
    std::optional<Canonical> decode_llvm(std::span<const std::uint8_t> bytes);
    const Opcode& opcode();
    bool has_encoded_memory(unsigned& first) const;
    void add_registers(Instruction& out) const;
    void add_register(std::uint16_t& mask, unsigned reg) const;
    MemoryOperand encoded_operand(unsigned first, const Canonical&, const Opcode&, std::uint64_t next) const;
    std::string print(Syntax syntax, std::uint64_t next);

    CodeMode mode_;
    llvm::Triple triple_;
    llvm::MCTargetOptions options_;
    std::unique_ptr<llvm::MCRegisterInfo> registers_;
    std::unique_ptr<llvm::MCAsmInfo> assembler_;
    std::unique_ptr<llvm::MCInstrInfo> instructions_;
    std::unique_ptr<llvm::MCSubtargetInfo> subtarget_;
    std::unique_ptr<llvm::MCContext> context_;
    std::unique_ptr<llvm::MCDisassembler> disassembler_;
    std::array<std::unique_ptr<llvm::MCInstPrinter>, 2> printers_;  // AT&T, Intel
    std::unique_ptr<detail::RegisterUnits> units_;
    std::vector<std::uint8_t> general_;  // by LLVM's register number: the encoded number of the general register
    std::vector<bool> partial_;          // by LLVM's register number: a write to it keeps the rest of the register
    std::vector<Opcode> opcodes_;        // filled on first use
    unsigned flags_ = 0, rip_ = 0, eip_ = 0, fs_ = 0, gs_ = 0, ss_ = 0;

    llvm::MCInst inst_;         // the instruction at hand, reused
    std::uint64_t length_ = 0;  // its bytes, with all prefixes
};

void LlvmDecoder::index_registers() {
    static constexpr std::string_view names[] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                                 "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};
    general_.assign(registers_->getNumRegs(), no_register);
    partial_.assign(registers_->getNumRegs(), false);
    for (unsigned reg = 1; reg < registers_->getNumRegs(); ++reg) {
        const std::string_view name = registers_->getName(reg);
        if (name == "EFLAGS") flags_ = reg;
        if (name == "RIP") rip_ = reg;
        if (name == "EIP") eip_ = reg;
        if (name == "FS") fs_ = reg;
        if (name == "GS") gs_ = reg;
        if (name == "SS") ss_ = reg;
        const auto found = std::ranges::find(names, name);
        if (found == std::end(names)) continue;
        for (const unsigned part : registers_->subregs_inclusive(reg)) {
            const std::string_view part_name = registers_->getName(part);
            general_[part] = static_cast<std::uint8_t>(found - std::begin(names));
            // 32-bit writes zero the upper half; narrower ones merge.
            partial_[part] = part != reg && !part_name.starts_with('E') && !part_name.ends_with('D');
        }
    }
}

// Decodes into inst_ and length_.
std::optional<Canonical> LlvmDecoder::decode_llvm(std::span<const std::uint8_t> bytes) {
    auto c = detail::canonicalise(bytes, mode_);
    if (!c) return std::nullopt;
    inst_.clear();
    inst_.setFlags(0);
    std::uint64_t canonical_length = 0;
    const auto status =
        disassembler_->getInstruction(inst_, canonical_length, {c->bytes.data(), c->size}, 0, llvm::nulls());
    if (status != llvm::MCDisassembler::Success) return std::nullopt;
    if (canonical_length <= c->canonical_prefix_bytes || canonical_length > c->size) return std::nullopt;
    length_ = canonical_length - c->canonical_prefix_bytes + c->prefix_bytes;
    return c;
}

const LlvmDecoder::Opcode& LlvmDecoder::opcode() {
    Opcode& op = opcodes_[inst_.getOpcode()];
    if (op.known) return op;
    const auto& description = instructions_->get(inst_.getOpcode());
    const std::string_view name = instructions_->getName(inst_.getOpcode());
    op.info = detail::opcode_info(name);
    op.lockable = detail::lockable(name);
    switch (op.info.direction) {
        case Direction::load:
            op.kind = AccessKind::load;
            break;
        case Direction::store:
            op.kind = AccessKind::store;
            break;
        case Direction::rmw:
            op.kind = AccessKind::rmw;
            break;
        case Direction::from_llvm:
            op.kind = !description.mayStore() ? AccessKind::load
                      : description.mayLoad() ? AccessKind::rmw
                                              : AccessKind::store;
    }
    unsigned first = 0;
    if (op.info.size == 0 && has_encoded_memory(first)) op.info.size = printed_size(print(Syntax::intel, 0));
    op.known = true;
    return op;
}

// Where the five operands (base, scale, index, displacement, segment) or the two of an absolute address start.
bool LlvmDecoder::has_encoded_memory(unsigned& first) const {
    const auto operands = instructions_->get(inst_.getOpcode()).operands();
    const auto found = std::ranges::find(operands, llvm::MCOI::OPERAND_MEMORY, &llvm::MCOperandInfo::OperandType);
    first = static_cast<unsigned>(found - operands.begin());
    if (found != operands.end()) return true;
    // LEA's address has no type of its own.
    constexpr unsigned with_address = 6;
    const bool lea = operands.size() == with_address &&
                     opcode_name(static_cast<std::uint16_t>(inst_.getOpcode())).starts_with("LEA");
    if (lea) first = 1;
    return lea;
}

void LlvmDecoder::add_register(std::uint16_t& mask, unsigned reg) const {
    if (general_[reg] != no_register) mask |= static_cast<std::uint16_t>(1u << general_[reg]);
}

void LlvmDecoder::add_registers(Instruction& out) const {
    const auto& description = instructions_->get(inst_.getOpcode());
    for (unsigned i = 0; i < inst_.getNumOperands(); ++i) {
        const auto& operand = inst_.getOperand(i);
        if (!operand.isReg()) continue;
        const unsigned reg = operand.getReg().id();
        const bool written = i < description.getNumDefs();
        if (written) add_register(out.writes, reg);
        if (!written || partial_[reg]) add_register(out.reads, reg);
    }
    for (const auto reg : description.implicit_uses()) {
        add_register(out.reads, reg);
        out.reads_flags |= reg == flags_;
    }
    for (const auto reg : description.implicit_defs()) {
        add_register(out.writes, reg);
        if (partial_[reg]) add_register(out.reads, reg);
        out.writes_flags |= reg == flags_;
    }
}

MemoryOperand LlvmDecoder::encoded_operand(unsigned first, const Canonical& c, const Opcode& op,
                                           std::uint64_t next) const {
    MemoryOperand m = c.operand(SegmentBase::ds);
    m.kind = op.kind, m.size = op.info.size;
    if (inst_.getOperand(first).isImm()) {  // mov with an absolute address
        m.displacement = inst_.getOperand(first).getImm();
        return m;
    }
    const unsigned base = inst_.getOperand(first).getReg().id();
    const unsigned index = inst_.getOperand(first + 2).getReg().id();
    m.displacement = inst_.getOperand(first + 3).getImm();
    if (base == rip_ || base == eip_) {
        m.displacement = static_cast<std::int64_t>(next + static_cast<std::uint64_t>(m.displacement));
        if (base == eip_) m.displacement &= 0xffff'ffff;
    } else if (base != 0) {
        m.base = general_[base];
        if (m.base == rsp || m.base == rbp) m.segment = c.operand(SegmentBase::ss).segment;
    }
    if (index != 0 && general_[index] != no_register) {
        m.index = general_[index];
        m.scale = static_cast<std::uint8_t>(inst_.getOperand(first + 1).getImm());
    }
    return m;
}

void add_operand(Instruction& out, const MemoryOperand& m) { out.memory[out.operand_count++] = m; }

// The stack is in SS, whatever the prefixes say.
void add_stack(Instruction& out, const Canonical& c, AccessKind kind, std::uint8_t base, unsigned bytes) {
    MemoryOperand m = c.stack_operand();
    m.base = base, m.kind = kind, m.size = static_cast<std::uint16_t>(bytes);
    if (kind == AccessKind::store) m.displacement = -static_cast<std::int64_t>(bytes);
    add_operand(out, m);
    out.reads |= static_cast<std::uint16_t>(1u << base | 1u << rsp);
    out.writes |= 1u << rsp;
}

void add_indexed(Instruction& out, const Canonical& c, AccessKind kind, std::uint8_t base, unsigned bytes) {
    MemoryOperand m = c.operand(SegmentBase::ds);
    m.base = base, m.kind = kind, m.size = static_cast<std::uint16_t>(bytes);
    add_operand(out, m);
    out.reads |= static_cast<std::uint16_t>(1u << base);
}

// Where a string instruction stores, and what it compares with: in ES, which takes no override.
void add_destination(Instruction& out, const Canonical& c, AccessKind kind, unsigned bytes) {
    add_indexed(out, c, kind, rdi, bytes);
    out.memory[out.operand_count - 1].segment = c.mode.bits == 64 ? SegmentBase::none : SegmentBase::es;
}

void add_memory(Instruction& out, const Canonical& c, const detail::OpcodeInfo& info,
                const std::optional<MemoryOperand>& encoded) {
    const unsigned slot = info.size != 0 ? info.size : 8;
    const unsigned stack_slot = c.mode.bits == 64 ? slot : c.operand_bytes;  // 64-bit mode: the opcode's name tells
    const auto load = AccessKind::load;
    const auto store = AccessKind::store;
    switch (info.implicit) {
        case Implicit::none:
            if (encoded) add_operand(out, *encoded);
            break;
        case Implicit::none_used:
            if (encoded) out.memory[0] = *encoded;  // an address, no access: operand_count stays 0
            break;
        case Implicit::push:
        case Implicit::call: {
            const bool call64 = info.implicit == Implicit::call && c.mode.bits == 64;
            if (encoded) add_operand(out, *encoded);
            if (encoded) out.memory[0].kind = load;
            add_stack(out, c, store, rsp, call64 ? 8 : stack_slot);
            break;
        }
        case Implicit::pop:
            add_stack(out, c, load, rsp, stack_slot);
            if (encoded) add_operand(out, *encoded);
            if (encoded) out.memory[1].kind = store;
            // pop [rsp + n] forms the address after rsp has moved (SDM 2B, POP).
            if (encoded && encoded->base == rsp) out.memory[1].displacement += stack_slot;
            break;
        case Implicit::ret:
            add_stack(out, c, load, rsp, stack_slot);
            break;
        case Implicit::leave:
            add_stack(out, c, load, rbp, stack_slot);
            out.writes |= 1u << rbp;
            break;
        case Implicit::push_all:
            add_stack(out, c, store, rsp, 8 * stack_slot);
            break;
        case Implicit::pop_all:
            add_stack(out, c, load, rsp, 8 * stack_slot);
            break;
        case Implicit::iret:
            add_stack(out, c, load, rsp, c.mode.bits == 64 ? 5 * slot : 3 * stack_slot);
            break;
        case Implicit::far_ret:
            add_stack(out, c, load, rsp, 2 * stack_slot);
            break;
        case Implicit::far_call:
            if (encoded) add_operand(out, *encoded);
            add_stack(out, c, store, rsp, 2 * (c.mode.bits == 64 ? info.size - 2u : stack_slot));
            break;
        case Implicit::movs:
            add_indexed(out, c, load, rsi, slot);
            add_destination(out, c, store, slot);
            break;
        case Implicit::cmps:
            add_indexed(out, c, load, rsi, slot);
            add_destination(out, c, load, slot);
            break;
        case Implicit::stos:
            add_destination(out, c, store, slot);
            break;
        case Implicit::lods:
            add_indexed(out, c, load, rsi, slot);
            break;
        case Implicit::scas:
            add_destination(out, c, load, slot);
            break;
        case Implicit::xlat:
            add_indexed(out, c, load, rbx, slot);
            break;
        case Implicit::mask_move:
            add_indexed(out, c, store, rdi, slot);
            break;
    }
}

std::optional<Instruction> LlvmDecoder::decode(std::span<const std::uint8_t> bytes, std::uint64_t address) {
    const auto c = decode_llvm(bytes);
    if (!c) return std::nullopt;
    const Opcode& op = opcode();
    Instruction out{.address = address, .length = static_cast<std::uint8_t>(length_)};
    out.code_bits = mode_.bits;
    out.flow = op.info.flow;
    out.special = c->vex ? Special::unsupported : op.info.special;
    out.opcode = static_cast<std::uint16_t>(inst_.getOpcode());
    out.reads = op.info.reads;
    out.writes = op.info.writes;
    out.reads_flags = op.info.reads_flags;
    out.writes_flags = op.info.writes_flags;
    add_registers(out);
    if (c->string && c->repeat != 0) {
        out.rep = true;
        out.reads |= 1u << rcx;
        out.writes |= 1u << rcx;
    }
    if (c->vex && c->lock) return std::nullopt;

    std::optional<MemoryOperand> encoded;
    unsigned first = 0;
    if (!c->string && has_encoded_memory(first)) encoded = encoded_operand(first, *c, op, address + length_);
    add_memory(out, *c, op.info, encoded);

    const bool exchange = opcode_name(out.opcode).starts_with("XCHG");
    out.locked = c->lock || (exchange && encoded.has_value());
    if (c->lock && (!op.lockable || !encoded || encoded->kind != AccessKind::rmw)) return std::nullopt;  // #UD
    const bool to_ss = op.info.special == Special::plain && inst_.getNumOperands() > 0 && inst_.getOperand(0).isReg() &&
                       inst_.getOperand(0).getReg().id() == ss_;
    if (to_ss && instructions_->get(inst_.getOpcode()).getNumDefs() == 1) out.special = Special::mov_ss;
    return out;
}

Operands LlvmDecoder::operands() const {
    unsigned memory = 0;
    has_encoded_memory(memory);
    return units_->list(inst_, instructions_->get(inst_.getOpcode()), opcode_name(inst_.getOpcode()), memory);
}

std::string LlvmDecoder::print(Syntax syntax, std::uint64_t next) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    printers_[syntax == Syntax::intel]->printInst(&inst_, next, "", *subtarget_, stream);
    std::ranges::replace(text, '\t', ' ');
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

std::string LlvmDecoder::text(std::span<const std::uint8_t> bytes, std::uint64_t address, Syntax syntax) {
    const auto c = decode_llvm(bytes);
    if (!c || (c->lock && !decode(bytes, address))) return "(bad)";
    inst_.setFlags(0);
    std::string prefix = c->lock ? "lock " : "";
    if (c->string && c->repeat != 0) {
        const bool compares = (bytes[c->prefix_bytes] & 0xf6) == 0xa6;  // cmps, scas
        prefix += c->repeat == 0xf2 ? "repne " : compares ? "repe " : "rep ";
    }
    return prefix + print(syntax, address + length_);
}

}  // namespace

std::unique_ptr<Decoder> Decoder::make(CodeMode mode) { return std::make_unique<LlvmDecoder>(mode); }

}  // namespace sim
