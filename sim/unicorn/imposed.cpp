// SPDX-License-Identifier: GPL-2.0-or-later
// A run whose inputs and interrupts are given: what is asked of devices and clocks elsewhere is asked of
// RunConfig::imposed here, and every instruction is shown to it first.
#include <algorithm>
#include <cstring>
#include <regs/pc.hpp>
#include <sim/unicorn/cpu.hpp>

namespace sim::unicorn {

namespace {

// Registers that are the CPU's own: what the guest wrote is what it reads, in every engine.
constexpr std::uint32_t own_msrs[] = {regs::msr::efer,    regs::msr::star,          regs::msr::lstar,
                                      regs::msr::cstar,   regs::msr::fmask,         regs::msr::fs_base,
                                      regs::msr::gs_base, regs::msr::kernel_gs_base};

struct Vectors {  // what uc_reg_read_batch fills, in this order
    static constexpr int count = 16 + 8 + 3;
    int names[count];
    Vectors() {
        for (int i = 0; i < 16; ++i) names[i] = UC_X86_REG_XMM0 + i;
        for (int i = 0; i < 8; ++i) names[16 + i] = UC_X86_REG_FP0 + i;
        names[24] = UC_X86_REG_MXCSR, names[25] = UC_X86_REG_FPCW, names[26] = UC_X86_REG_FPSW;
    }
    // Pointers to where each is in `state`.
    template <typename State>
    static void places(State& state, void** to) {
        const auto place = [](auto* at) { return const_cast<void*>(static_cast<const void*>(at)); };
        for (int i = 0; i < 16; ++i) to[i] = place(state.xmm[i]);
        for (int i = 0; i < 8; ++i) to[16 + i] = place(state.x87[i]);
        to[24] = place(&state.mxcsr), to[25] = place(&state.x87_control), to[26] = place(&state.x87_status);
    }
};
const Vectors vectors;

static_assert(int(es) == ArchitecturalState::es && int(gs) == ArchitecturalState::gs);

SegmentState* segment_at(CpuState& state, unsigned index) {
    SegmentState* const tables[] = {&state.ldt, &state.tr, &state.gdt, &state.idt};
    return index < 6 ? &state.segments[index] : tables[index - 6];
}

}  // namespace

ArchitecturalState Cpu::architectural_state() const {
    ArchitecturalState result{};
    std::memcpy(result.general, state_->general, sizeof result.general);
    result.rip = state_->rip;
    result.rflags = rflags();
    std::memcpy(result.cr, state_->cr, sizeof result.cr);
    result.efer = *view_.efer;
    result.hidden_flags = state_->hidden_flags;
    for (unsigned i = 0; i < 10; ++i) {
        const SegmentState& from = *segment_at(*state_, i);
        result.segments[i] = {from.selector, from.limit, from.base, from.attributes};
    }
    void* to[Vectors::count];
    Vectors::places(result, to);
    uc_reg_read_batch(uc_.get(), const_cast<int*>(vectors.names), to, Vectors::count);
    return result;
}

void Cpu::adopt(const ArchitecturalState& from) {
    std::memcpy(state_->general, from.general, sizeof from.general);
    std::memcpy(state_->cr, from.cr, sizeof from.cr);
    *view_.efer = from.efer;
    state_->hidden_flags = std::uint32_t(from.hidden_flags);
    for (unsigned i = 0; i < 10; ++i) {
        const auto& segment = from.segments[i];
        *segment_at(*state_, i) = {segment.selector, 0, segment.base, segment.limit, std::uint32_t(segment.attributes)};
    }
    void* at[Vectors::count];
    Vectors::places(from, at);
    uc_reg_write_batch(uc_.get(), const_cast<int*>(vectors.names), at, Vectors::count);
    write_register(UC_X86_REG_RFLAGS, from.rflags);
    state_->rip = from.rip;
    space_.flush();
}

void Cpu::start_imposed() {
    adopt(config_.imposed->start({board_.memory.data(), board_.memory.bytes()}));
    activity_ = Activity::running;
    wait_for_change();
}

// RIP is that of `address`. True: the instruction there is not to be executed now.
bool Cpu::follow(std::uint64_t address) {
    using What = Imposed::Order::What;
    const Imposed::Order order = config_.imposed->before(retired_, architectural_state(), false);
    switch (order.what) {
        case What::execute:
            return false;
        case What::interrupt:
            take_interrupt(order.vector, address);
            if (!run_.stopping) write_register(UC_X86_REG_RIP, state_->rip);
            return true;
        case What::adopt:
            if (next_->instruction && next_->instruction->address == address)
                code_.remember(recorder_.block(), index_of(next_));
            recorder_.flush(left_block(address), retired_);
            next_ = no_step();
            adopt(*order.state);
            write_register(UC_X86_REG_RIP, state_->rip);
            return true;
        case What::stop:
            stop(StopReason::imposed, order.why);
            return true;
    }
    return true;
}

// Behind HLT.
void Cpu::wake_imposed() {
    using What = Imposed::Order::What;
    if (!interruptible()) return stop(StopReason::halted_for_ever, "HLT with interrupts off, before " + where(at()));
    const Imposed::Order order = config_.imposed->before(retired_, architectural_state(), true);
    if (order.what == What::interrupt) take_interrupt(order.vector, at());
    else if (order.what == What::adopt) adopt(*order.state);
    else if (order.what == What::stop) stop(StopReason::imposed, order.why);
}

void Cpu::announce_imposed(const Step* step) {
    const CodeBlock& code = recorder_.block()->code;
    const Instruction& instruction = *step->instruction;
    config_.imposed->announce(instruction, std::span(code.bytes).subspan(instruction.address - code.address));
}

std::uint64_t Cpu::imposed_input(InputKind kind, std::uint64_t address, unsigned bytes, unsigned part) {
    return config_.imposed->input({.kind = kind, .address = address, .bytes = bytes, .part = part});
}

bool Cpu::imposes_msr(std::uint32_t number) const {
    return config_.imposed && std::find(std::begin(own_msrs), std::end(own_msrs), number) == std::end(own_msrs);
}

void Cpu::emulate_rdmsr(const Step* step) {
    const std::uint64_t value = imposed_input(InputKind::msr, std::uint32_t(state_->general[1]));
    state_->general[0] = std::uint32_t(value);
    state_->general[2] = value >> 32;
    skip(step);
}

}  // namespace sim::unicorn
