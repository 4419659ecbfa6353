// SPDX-License-Identifier: GPL-2.0-or-later
// Unicorn ended the run by itself, or an instruction left RAM: what that means, and whether it is the end.
#include <algorithm>
#include <regs/pc.hpp>
#include <sim/board/text.hpp>
#include <sim/unicorn/cpu.hpp>

namespace sim::unicorn {

namespace {
using Ull = unsigned long long;

void check(uc_err error, const char* what) {
    if (error) throw EngineError(text("Unicorn cannot %s: %s", what, uc_strerror(error)));
}
}  // namespace

void Cpu::stop_outside(std::uint64_t physical, const char* doing, std::uint64_t at) {
    go_to(at);
    const std::string place = physical == unmapped ? "an address" : text("physical address %#llx", Ull(physical));
    if ((physical & -page_bytes) == regs::lapic::default_base)
        stop(StopReason::outside_ram, text("%s from the local APIC at %s, which is not executable, at %s", doing,
                                           place.c_str(), where(at).c_str()));
    else
        stop(StopReason::outside_ram,
             text("%s at %s, where there is neither RAM nor a device, at %s", doing, place.c_str(), where(at).c_str()));
}

// The first address that the announced instruction touches outside RAM and devices, as far as its operands tell.
std::uint64_t Cpu::operand_outside() {
    if (!announced_) return unmapped;
    const Instruction& instruction = *current_->instruction;
    for (unsigned i = 0; i < instruction.operand_count; ++i) {
        // RAM and devices begin and end with a page: outside is either the first byte or the first of the next page.
        const std::uint64_t first = operand_address(instruction.memory[i]);
        const std::uint64_t last_page = (first + instruction.memory[i].size - 1) & -page_bytes;
        for (const std::uint64_t address : {first, std::max(first, last_page)}) {
            const std::uint64_t physical = space_.translate(address);
            if (physical != unmapped && physical >= board_.memory.bytes() &&
                (physical & -page_bytes) != regs::lapic::default_base)
                return physical;
        }
    }
    return unmapped;
}

// Unicorn ended the run by itself.
void Cpu::stop_on_error(uc_err error) {
    const std::uint64_t at = announced_ ? current_->instruction->address : this->at();
    switch (error) {
        case UC_ERR_READ_UNMAPPED:
        case UC_ERR_READ_PROT:
            return stop_outside(operand_outside(), "read", at);
        case UC_ERR_WRITE_UNMAPPED:
        case UC_ERR_WRITE_PROT:
            return stop_outside(operand_outside(), "write", at);
        case UC_ERR_FETCH_UNMAPPED:
        case UC_ERR_FETCH_PROT:
            return stop_on_fetch();
        default:
            stop(StopReason::engine_error, text("Unicorn ended the run at %s: %s", where(at).c_str(),
                                                error ? uc_strerror(error) : "no reason given"));
    }
}

// The engine translates ahead, across the end of a page: what it could not fetch may come after instructions that can
// be executed. Then they are, up to there.
void Cpu::stop_on_fetch() {
    const std::uint64_t target = at();
    std::uint64_t physical = space_.translate(target);
    if (board_.memory.contains(physical, 1)) {
        if (end_translation_at_edge(target)) return;
        physical = space_.translate((target & -page_bytes) + page_bytes);
    }
    settle_announced(!announced_ || current_->instruction->address != target, target);  // who jumped there has retired
    stop_outside(physical, "instruction fetch", target);
}

// The same for a page that is not there, or not executable: is this page fault that of an instruction further on? Then
// it is not delivered now. It comes again once all before it has been executed.
bool Cpu::faults_ahead(std::uint64_t rip) {
    constexpr std::uint32_t error_fetch = 1u << 4;
    const std::uint64_t next_page = (rip & -page_bytes) + page_bytes;
    if (!(std::uint32_t(*view_.error_code) & error_fetch) || state_->cr[2] != next_page) return false;
    const std::uint64_t edge = code_.line_end(space_, rip, view_.mode());
    if (edge == rip || edge_ == edge) return false;
    *view_.old_exception = -1;
    fetched_ahead_ = true;
    uc_emu_stop(uc_.get());
    return true;
}

bool Cpu::end_translation_at_edge(std::uint64_t address) {
    std::uint64_t edge = code_.line_end(space_, address, view_.mode());
    if (edge == address || edge_ == edge) return false;
    forget_edge();
    edge_ = edge;
    check(uc_ctl_set_exits(uc_.get(), &edge, 1), "set an exit");
    return true;
}

void Cpu::forget_edge() {
    if (!edge_) return;
    edge_.reset();
    std::uint64_t none = 0;
    check(uc_ctl_set_exits(uc_.get(), &none, 0), "clear its exits");
    uc_ctl_flush_tb(uc_.get());  // what ends there
}

}  // namespace sim::unicorn
