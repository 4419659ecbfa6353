// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/entry.hpp>

#include <algorithm>

namespace sim::unicorn {

namespace {
constexpr std::uint32_t code32_attributes = 0x00cf'9b00, data_attributes = 0x00cf'9300, tss_attributes = 0x0000'8b00;
constexpr std::uint32_t no_limit = 0xffff'ffff, code_selector = 0x08, data_selector = 0x10;
constexpr std::uint64_t cr0_protected = 0x11;  // PE and ET
constexpr std::uint32_t hidden_sse = 1u << 22, hidden_smap = 1u << 23;

// The engine was opened in 64-bit mode; with this it is in 32-bit protected mode, and a change to 64-bit mode by the
// guest's own instructions runs on with all registers readable.
void protected_mode(const CpuView& cpu) {
    CpuState& state = *cpu.state;
    std::fill(std::begin(state.general), std::end(state.general), 0);
    *cpu.efer = 0;
    state.cr[0] = cr0_protected;
    state.cr[2] = state.cr[3] = 0;
    state.hidden_flags &= ~(hidden_cpl | hidden_segments | hidden_long | hidden_code64 | hidden_sse | hidden_smap);
    state.hidden_flags |= hidden_code32 | hidden_stack32 | hidden_protected;
    for (SegmentState& segment : state.segments) segment = {data_selector, 0, 0, no_limit, data_attributes};
    state.segments[cs] = {code_selector, 0, 0, no_limit, code32_attributes};
    state.tr = {0, 0, 0, 0x67, tss_attributes};
    state.gdt = state.idt = state.ldt = {};
}
}  // namespace

void enter_kernel(uc_engine* uc, const CpuView& cpu, const KernelEntry& entry) {
    CpuState& state = *cpu.state;
    if (entry.protocol == BootProtocol::direct) {
        state.general[7] = entry.information;
    } else {
        protected_mode(cpu);
        state.general[0] = entry.magic;
        state.general[3] = entry.information;
    }
    state.rip = entry.address;
    state.cr[4] = 0;
    std::uint64_t flags = 2;
    uc_reg_write(uc, UC_X86_REG_RFLAGS, &flags);
}

}  // namespace sim::unicorn
