// SPDX-License-Identifier: GPL-2.0-or-later
// Exceptions, interrupts and system calls: Unicorn never goes through the IDT itself. The steps and their checks are
// those of 64-bit mode (SDM 3A 6.14, APM2 8.9); see docs/adr/0002-interrupt-delivery.md.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <regs/pc.hpp>
#include <sim/board/text.hpp>
#include <sim/unicorn/cpu.hpp>
#include <sim/unicorn/descriptors.hpp>

namespace sim::unicorn {

namespace {

bool contributory(unsigned vector) {
    return vector == regs::vector::divide || (vector >= invalid_tss && vector <= general_protection);
}
// SDM 3A table 6-5.
bool makes_double_fault(unsigned first, unsigned second) {
    if (contributory(first)) return contributory(second);
    return first == page_fault && (contributory(second) || second == page_fault);
}

constexpr unsigned tss_rsp0 = 4, tss_ist1 = 36;

}  // namespace

std::optional<Fault> Cpu::read_system(std::uint64_t address, void* to, unsigned bytes, const char* what) {
    if (const auto fault = space_.read(address, to, bytes))
        return Fault{page_fault, fault->error_code, fault->address, what};
    return std::nullopt;
}

std::optional<Fault> Cpu::read_gate(std::uint8_t vector, std::uint32_t external, Gate& gate) {
    const unsigned bytes = state_->hidden_flags & hidden_long ? 16 : 8;
    gate = {};
    if (vector * bytes + bytes - 1 > state_->idt.limit)
        return Fault{general_protection, vector * 8u + error_idt + external, 0, "the vector is beyond the IDT's limit"};
    return read_system(state_->idt.base + vector * bytes, &gate, bytes, "the IDT is not mapped");
}

std::optional<Fault> Cpu::check_gate(const Gate& gate, std::uint8_t vector, Entry entry) const {
    const std::uint32_t error = vector * 8u + error_idt + (entry == Entry::software ? 0 : error_external);
    if (gate.type() != interrupt_gate && gate.type() != trap_gate)
        return Fault{general_protection, error, 0, "the IDT entry is no interrupt or trap gate"};
    if (entry == Entry::software && gate.privilege() < view_.cpl())
        return Fault{general_protection, error, 0, "INT n to a gate that this privilege level may not use"};
    if (!gate.present()) return Fault{segment_not_present, error, 0, "the IDT gate is not present"};
    return std::nullopt;
}

std::optional<Fault> Cpu::read_code_descriptor(std::uint16_t selector, std::uint32_t external, CodeDescriptor& code) {
    const std::uint32_t error = (selector & ~3u) + external;
    if (!(selector & ~3u)) return Fault{general_protection, external, 0, "the gate's code selector is null"};
    const SegmentState& table = selector & 4 ? state_->ldt : state_->gdt;
    if ((selector | 7u) > table.limit)
        return Fault{general_protection, error, 0, "the gate's code selector is beyond its table"};
    if (auto failed = read_system(table.base + (selector & ~7u), &code, sizeof code, "the GDT is not mapped"))
        return failed;
    const bool long_mode = state_->hidden_flags & hidden_long;
    if (!code.code() || code.privilege() > view_.cpl() || (long_mode && !code.code64()))
        return Fault{general_protection, error, 0,
                     long_mode ? "the gate's selector is no usable 64-bit code segment"
                               : "the gate's selector is no usable code segment"};
    if (!code.present()) return Fault{segment_not_present, error, 0, "the gate's code segment is not present"};
    return std::nullopt;
}

// Everything is checked and read before anything changes, except that the frame is written last but one.
std::optional<Fault> Cpu::try_deliver(const Fault& fault, Entry entry, std::uint64_t return_address) {
    if (!(state_->hidden_flags & hidden_long)) return try_deliver32(fault, entry, return_address);
    const std::uint32_t external = entry == Entry::software ? 0 : error_external;
    Gate gate;
    if (auto failed = read_gate(fault.vector, external, gate)) return failed;
    if (auto failed = check_gate(gate, fault.vector, entry)) return failed;
    CodeDescriptor code;
    if (auto failed = read_code_descriptor(gate.selector(), external, code)) return failed;
    const unsigned cpl = code.conforming() ? view_.cpl() : code.privilege();
    std::uint64_t stack = state_->general[4];
    if (gate.stack_table() || cpl < view_.cpl()) {
        const unsigned offset = gate.stack_table() ? tss_ist1 + 8 * (gate.stack_table() - 1) : tss_rsp0 + 8 * cpl;
        if (offset + 7 > state_->tr.limit)
            return Fault{invalid_tss, (state_->tr.selector & 0xfffcu) + external, 0,
                         "there is no TSS that holds the stack"};
        if (auto failed = read_system(state_->tr.base + offset, &stack, sizeof stack, "the TSS is not mapped"))
            return failed;
    }
    const bool error_code = entry == Entry::exception && regs::pushes_error_code(fault.vector);
    if (!regs::paging::canonical(gate.target()))
        return Fault{general_protection, external, 0, "the handler's address is not canonical"};
    std::array<std::uint64_t, 6> frame{fault.error_code, return_address,     state_->segments[cs].selector,
                                       rflags(),         state_->general[4], state_->segments[ss].selector};
    const unsigned frame_bytes = error_code ? 48 : 40;
    stack = (stack & ~15ull) - frame_bytes;
    if (!regs::paging::canonical(stack) || !regs::paging::canonical(stack + frame_bytes - 1))
        return Fault{regs::vector::stack, external, 0, "the handler's stack pointer is not canonical"};
    if (const auto failed = space_.write(stack, frame.data() + (error_code ? 0 : 1), frame_bytes))
        return Fault{page_fault, failed->error_code, failed->address, "the handler's stack cannot be written"};
    if (const auto outside = space_.outside()) {
        stop_outside(*outside, "delivery of an exception", return_address);
        return std::nullopt;
    }
    for (const std::uint64_t end : {stack, stack + frame_bytes - 1}) {
        const std::uint64_t physical = space_.translate(end);
        const std::uint16_t known = code_.translated_by(physical);
        if (!known) continue;
        written_elsewhere(physical);
        if (!(known & bit_)) continue;
        stale_code_ = true;  // the engine does not see what the host writes
        uc_emu_stop(uc_.get());
    }

    state_->segments[cs] = {(gate.selector() & ~3u) | cpl, 0, 0, 0xffff'ffff, std::uint32_t(code.value >> 32)};
    if (cpl != view_.cpl()) state_->segments[ss] = {cpl, 0, 0, 0, cpl << 13};
    state_->hidden_flags = (state_->hidden_flags & ~(hidden_cpl | hidden_inhibit | hidden_segments)) | hidden_code64 |
                           hidden_code32 | hidden_stack32 | cpl;
    state_->general[4] = stack;
    state_->rflags &= ~(rflags_tf | rflags_nt | rflags_rf | (gate.type() == interrupt_gate ? rflags_if : 0));
    state_->rip = gate.target();
    return std::nullopt;
}

void Cpu::note_fault(const Fault& fault) {
    if (faults_.size() == fault_history) faults_.pop_front();
    faults_.push_back({.vector = fault.vector,
                       .has_error_code = regs::pushes_error_code(fault.vector),
                       .error_code = fault.error_code,
                       .cr2 = state_->cr[2],
                       .why_not_delivered = {},
                       .registers = registers()});
}

void Cpu::deliver(Fault fault, Entry entry, std::uint64_t return_address) {
    *view_.old_exception = -1;  // the engine never learns that a delivery ended
    shadow_until_ = 0;
    go_to(return_address);
    for (;;) {
        if (entry == Entry::exception && fault.vector == page_fault) state_->cr[2] = fault.address;
        if (entry == Entry::exception) note_fault(fault);
        const auto second = try_deliver(fault, entry, return_address);
        if (run_.stopping) return;
        if (!second) break;
        if (entry != Entry::exception) note_fault(fault);
        faults_.back().why_not_delivered = second->why;
        if (entry == Entry::exception && fault.vector == double_fault) {
            faults_.push_back({.vector = second->vector,
                               .has_error_code = regs::pushes_error_code(second->vector),
                               .error_code = second->error_code,
                               .cr2 = second->vector == page_fault ? second->address : state_->cr[2],
                               .why_not_delivered = "raised while the double fault was delivered",
                               .registers = registers()});
            stop(StopReason::triple_fault, text("triple fault at %s: %s", where(return_address).c_str(), second->why));
            return;
        }
        const bool is_double = entry == Entry::exception && makes_double_fault(fault.vector, second->vector);
        if (is_double && second->vector == page_fault) state_->cr[2] = second->address;
        fault = is_double ? Fault{.vector = double_fault} : *second;
        entry = Entry::exception;
    }
    if (config_.events)
        config_.events->on_transfer(
            {.cpu = number_,
             .index = retired_,
             .kind = entry == Entry::exception   ? TransferKind::exception
                     : entry == Entry::interrupt ? TransferKind::interrupt
                                                 : TransferKind::software,
             .vector = fault.vector,
             .has_error_code = entry == Entry::exception && regs::pushes_error_code(fault.vector),
             .error_code = fault.error_code,
             .source = return_address,
             .target = at(),
             .fault_address = fault.vector == page_fault ? state_->cr[2] : 0});
}

// From the code hook: the instruction there is not executed.
void Cpu::deliver_in_hook(Fault fault, Entry entry, std::uint64_t address, const Step* step) {
    code_.remember(recorder_.block(), index_of(step));
    recorder_.flush(false, retired_);
    next_ = no_step();
    deliver(fault, entry, address);
    if (!run_.stopping) write_register(UC_X86_REG_RIP, state_->rip);
    wait_for_change();
}

// What became of the announced instruction is known: it retired, or an exception took its place.
void Cpu::settle_announced(bool retired, std::uint64_t next_address) {
    if (announced_) {
        announced_ = 0;
        if (retired) {
            ++retired_;
            retire_announced();
        } else {
            recorder_.drop();
            code_.remember(recorder_.block(), index_of(current_));
        }
        recorder_.flush(retired && left_block(next_address), retired_);
    }
    next_ = no_step();
}

// UC_HOOK_INTR. RIP is that of the instruction that faulted, or the one after INT n.
void Cpu::on_exception(std::uint32_t vector) {
    if (run_.stopping) return;
    const bool software = *view_.is_int;
    if (vector >= 256 || (!software && vector >= regs::vector::first_interrupt)) {
        stop(StopReason::engine_error,
             text("the engine raised its internal exception %#x at %s", vector, where(at()).c_str()));
        return;
    }
    const std::uint64_t rip = at();
    if (vector == page_fault && !software && faults_ahead(rip)) return;
    const Instruction* announced = announced_ ? current_->instruction : nullptr;
    if (software && announced && announced->address != rip) {
        if (const auto refused = software_gate_fault(std::uint8_t(vector))) {
            settle_announced(false, 0);
            deliver(*refused, Entry::exception, announced->address);
        } else {
            settle_announced(true, rip);
            deliver({.vector = std::uint8_t(vector)}, Entry::software, rip);
        }
    } else {
        settle_announced(!announced || announced->address != rip, rip);
        Fault fault{.vector = std::uint8_t(vector)};
        if (regs::pushes_error_code(vector)) fault.error_code = std::uint32_t(*view_.error_code);
        if (vector == page_fault) fault.address = state_->cr[2];
        deliver(fault, Entry::exception, rip);
    }
    wait_for_change();
}

// INT n from a privilege level that the gate does not admit is a fault of the INT instruction, which then has not
// retired; every other obstacle is met during delivery.
std::optional<Fault> Cpu::software_gate_fault(std::uint8_t vector) {
    if (!(state_->hidden_flags & hidden_protected)) return std::nullopt;  // refused in delivery
    Gate gate;
    if (auto failed = read_gate(vector, 0, gate)) return failed;
    if (gate.privilege() < view_.cpl())
        return Fault{general_protection, vector * 8u + error_idt, 0, "INT n to a gate for higher privilege"};
    return std::nullopt;
}

void Cpu::on_invalid_instruction() {
    if (run_.stopping) return;
    const std::uint64_t address = announced_ ? current_->instruction->address : at();
    settle_announced(false, 0);
    deliver({.vector = invalid_opcode}, Entry::exception, address);
    wait_for_change();
}

// The engine leaves RIP at SYSCALL and adds its length after this. EFER.SCE was checked before it.
void Cpu::on_syscall() {
    constexpr std::uint64_t syscall_bytes = 2;
    constexpr std::uint32_t code64_attributes = 0x00a0'9b00, data_attributes = 0x00c0'9300;
    const std::uint64_t flags = rflags(), return_address = state_->rip + syscall_bytes;
    const auto selector = std::uint32_t(read_msr(regs::msr::star) >> 32 & 0xfffc);
    state_->general[1] = return_address;
    state_->general[11] = flags & ~rflags_rf;
    state_->segments[cs] = {selector, 0, 0, 0xffff'ffff, code64_attributes};
    state_->segments[ss] = {selector + 8, 0, 0, 0xffff'ffff, data_attributes};
    state_->hidden_flags = (state_->hidden_flags & ~hidden_cpl) | hidden_code64;
    write_register(UC_X86_REG_RFLAGS, flags & ~(read_msr(regs::msr::fmask) | rflags_rf));
    state_->rip = read_msr(regs::msr::lstar) - syscall_bytes;
}

}  // namespace sim::unicorn
