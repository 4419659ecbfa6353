// SPDX-License-Identifier: GPL-2.0-or-later
// What a CPU does because there are others: it starts and is reset by their messages, and it sees what they write.
#include <algorithm>
#include <sim/unicorn/cpu.hpp>

namespace sim::unicorn {

namespace {
constexpr std::uint64_t cr0_after_reset = 0x10;  // ET
constexpr std::uint32_t real_mode_code = 0x9b00, real_mode_data = 0x9300, real_mode_limit = 0xffff;
}  // namespace

// INIT and start-up messages that have arrived.
void Cpu::take_signals() {
    while (const auto signal = apic_.take_signal()) {
        if (signal->delivery == LocalApic::Delivery::start_up) {
            if (activity_ == Activity::waiting) start(signal->vector);
        } else if (number_ == 0) {
            return stop(StopReason::reset, "INIT for the boot CPU, at " + where(at()));
        } else {
            reset();
        }
    }
}

// INIT: waits for a start-up message (SDM 3A 9.1, 9.4.3).
void Cpu::reset() {
    recorder_.flush(false, retired_);
    next_ = no_step();
    announced_ = 0;
    shadow_until_ = 0;
    deaf_ = false;
    activity_ = Activity::waiting;
    uc_context_restore(uc_.get(), after_reset_.get());
    uc_ctl_flush_tlb(uc_.get());
    space_.flush();
}

// In real mode at vector << 12, with the rest of the state as reset leaves it. Unicorn's own reset is into 64-bit mode.
void Cpu::start(std::uint8_t vector) {
    reset();
    for (SegmentState& segment : state_->segments) segment = {0, 0, 0, real_mode_limit, real_mode_data};
    state_->segments[cs] = {std::uint32_t{vector} << 8, 0, std::uint64_t{vector} << 12, real_mode_limit,
                            real_mode_code};
    state_->gdt = state_->idt = {0, 0, 0, real_mode_limit, 0};
    state_->hidden_flags &= ~(hidden_cpl | hidden_inhibit | hidden_code32 | hidden_stack32 | hidden_protected |
                              hidden_long | hidden_code64);
    state_->hidden_flags |= hidden_segments;
    state_->cr[0] = cr0_after_reset;
    state_->cr[2] = state_->cr[3] = state_->cr[4] = 0;
    *view_.efer = 0;
    for (std::uint64_t& value : state_->general) value = 0;
    state_->general[2] = cpuid_(1, 0).eax;
    state_->rip = 0;
    write_register(UC_X86_REG_RFLAGS, 2);
    uc_ctl_flush_tlb(uc_.get());
    activity_ = Activity::running;
    wait_for_change();
    if (config_.events)
        config_.events->on_input(
            {.cpu = number_, .index = retired_, .kind = InputKind::start, .address = at(), .value = vector});
}

// A line that another CPU contends for: neither gets far ahead while that lasts.
void Cpu::touch_line(std::uint64_t physical, bool write) {
    if (physical >= board_.memory.bytes()) return;
    const std::uint64_t now = timer_clock();
    if (!run_.interleaving.touch(physical, std::uint8_t(number_), write, now)) return;
    if (others_at_ == never || slice_until_ <= others_at_ + Interleaving::contended_quantum) return;
    slice_until_ = std::min(slice_until_, others_at_ + run_.interleaving.ahead(now));
    wait_for_change();
}

// A store to a page of which other instances have translated code.
void Cpu::written_elsewhere(std::uint64_t physical) {
    const auto others = std::uint16_t(code_.translated_by(physical) & ~bit_);
    for (unsigned cpu = 0; cpu < run_.stale_pages.size(); ++cpu)
        if (others >> cpu & 1) run_.stale_pages[cpu].push_back(physical & -page_bytes);
    code_.forget(physical, others);
}

// The engine forgets translations by virtual address, but the page may be mapped nowhere now: for this call paging is
// off, so that the address is the physical one.
void Cpu::forget_stale_pages() {
    auto& pages = run_.stale_pages[number_];
    if (pages.empty()) return;
    const std::uint64_t cr0 = state_->cr[0];
    state_->cr[0] &= ~(1ull << 31);
    uc_ctl_flush_tlb(uc_.get());
    for (const std::uint64_t page : pages) uc_ctl_remove_cache(uc_.get(), page, page + page_bytes);
    state_->cr[0] = cr0;
    uc_ctl_flush_tlb(uc_.get());
    pages.clear();
}

}  // namespace sim::unicorn
