// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/cpu.hpp>

#include <algorithm>
#include <sim/board/text.hpp>

namespace sim::unicorn {

namespace {
void check(uc_err error, const char* what) {
    if (error) throw EngineError(text("Unicorn cannot %s: %s", what, uc_strerror(error)));
}

uc_context* save_context(uc_engine* uc) {
    uc_context* context = nullptr;
    check(uc_context_alloc(uc, &context), "keep a CPU's state");
    check(uc_context_save(uc, context), "keep a CPU's state");
    return context;
}
}  // namespace

Cpu::Cpu(RunState& run, unsigned number)
    : next_(no_step()),
      run_(run),
      config_(run.config),
      cpuid_(run.cpuid),
      board_(run.board),
      code_(run.code),
      apic_(run.board.apics[number]),
      number_(number),
      bit_(std::uint16_t(1u << number)),
      several_(run.several()),
      uc_(open_instance(), [](uc_engine* it) { uc_close(it); }),
      after_reset_(save_context(uc_.get()), uc_context_free),
      view_(view_cpu(uc_.get())),
      space_(board_.memory, view_),
      recorder_(config_.events, number),
      irq_at_(number == 0 ? config_.irq_at : std::vector<std::uint64_t>{}) {
    state_ = view_.state;
    std::sort(irq_at_.begin(), irq_at_.end());
    check(uc_mem_map_ptr(uc_.get(), 0, board_.memory.bytes(), UC_PROT_ALL, board_.memory.data()),
          "map the board's RAM");
    // With its exits enabled and none set, no address ends the run: not even 0, where a null call goes.
    check(uc_ctl_exits_enable(uc_.get()), "enable exits");
    std::uint64_t none = 0;
    check(uc_ctl_set_exits(uc_.get(), &none, 0), "clear its exits");
    install_hooks();
}

Cpu::~Cpu() = default;

std::uint64_t Cpu::ready_at() {
    if (activity_ == Activity::running) return timer_clock();
    raise_due();
    if (apic_.has_signal()) return timer_clock();
    if (activity_ == Activity::waiting || !interruptible() || deaf_) return apic_.message_ticks();
    return apic_.pending() ? timer_clock() : apic_.deadline_ticks();
}

void Cpu::run_slice(std::uint64_t others_at, std::uint64_t until) {
    others_at_ = others_at;
    slice_until_ = until;
    slice_over_ = false;
    begin_slice();
    if (activity_ != Activity::running) wake();
    while (!run_.stopping && activity_ == Activity::running && !slice_over_) {
        const uc_err error = uc_emu_start(uc_.get(), state_->rip, 0, 0, 0);
        if (run_.failure) std::rethrow_exception(run_.failure);
        if (run_.stopping || slice_over_) break;
        if (fetched_ahead_) {
            fetched_ahead_ = false;
            end_translation_at_edge(at());
        } else if (stale_code_) {
            stale_code_ = false;
            uc_ctl_flush_tb(uc_.get());
            code_.unmark_all(bit_);
        } else if (!error && announced_ && current_->instruction->special == Special::hlt) {
            halt();
        } else if (!error && edge_ == at()) {
            forget_edge();
        } else {
            stop_on_error(error);
        }
    }
    run_.retired = retired_;
}

// Numbers go on after what other CPUs have retired meanwhile, and what they have written is code as it is now.
void Cpu::begin_slice() {
    if (!several_) return;
    const std::uint64_t passed = run_.retired - retired_;
    retired_ += passed;
    others_ += passed;
    shadow_until_ += passed;
    recorder_.skip(passed);
    wait_for_change();
    forget_stale_pages();
    if (!next_->instruction) return;
    code_written_ = true;
    code_.mark(space_, *recorder_.block(), bit_);
}

// From the code hook: the instruction at `address` is the first of the next slice.
void Cpu::end_slice(std::uint64_t address) {
    recorder_.flush(left_block(address), retired_);
    slice_over_ = true;
    uc_emu_stop(uc_.get());
}

void Cpu::finish() {
    recorder_.flush(false, retired_);
    if (halted() && config_.events)
        config_.events->on_halt({.cpu = number_, .index = run_.retired, .skipped_ticks = slept_});
}

// HLT has executed: no time passes until `wake`.
void Cpu::halt() {
    settle_announced(true, at());
    shadow_until_ = 0;
    board_.chipset.uart.flush();
    if (attend_halted()) return;
    if (config_.imposed) return wake_imposed();
    activity_ = Activity::halted;
    deaf_ = false;
    slept_ = 0;
}

// Not running, but ready: time passes until what comes next has come. If that is no interrupt that the CPU accepts, it
// sleeps on; if it was the timer's, its priority is too low for the task's and no later one will be any better.
void Cpu::wake() {
    const std::uint64_t now = timer_clock(), ready = ready_at();
    const bool timer = ready != apic_.message_ticks();
    slept_ += ready - std::min(ready, now);
    skipped_ += ready - std::min(ready, now);
    raise_due();
    take_signals();
    if (!halted()) return;
    const auto vector = apic_.pending();
    if (!vector || !interruptible()) {
        deaf_ |= timer;
        return;
    }
    activity_ = Activity::running;
    if (config_.events) config_.events->on_halt({.cpu = number_, .index = retired_, .skipped_ticks = slept_});
    take_interrupt(*vector, at());
}

// Ends the run between HLT and the next instruction if it is to end. True: it did.
bool Cpu::attend_halted() {
    if (config_.stop && config_.stop->load(std::memory_order_relaxed))
        stop(StopReason::interrupted, "stopped from outside in HLT before " + where(at()));
    else if (config_.instruction_limit && retired_ >= *config_.instruction_limit)
        stop(StopReason::instruction_limit, "the limit was reached in HLT before " + where(at()));
    return run_.stopping;
}

void Cpu::stop(StopReason reason, std::string detail) {
    if (run_.stopping) return;
    run_.stopping = true;
    announced_ = 0;
    run_.result.stop = reason;
    run_.result.detail = std::move(detail);
    if (several_ && reason != StopReason::halted_for_ever) run_.result.detail += text(" on CPU %u", number_);
    run_.result.registers = registers();
    if (reason != StopReason::power_off) run_.result.faults.assign(faults_.begin(), faults_.end());
    uc_emu_stop(uc_.get());
}

std::uint64_t Cpu::now_ticks() {
    if (config_.clock == Clock::instructions) return retired_ - others_ + skipped_;
    recorder_.flush(false, retired_);
    return config_.modelled_cycles() + skipped_;
}

void Cpu::input(InputKind kind, std::uint64_t address, std::uint64_t value) {
    if (!config_.events) return;
    recorder_.flush(false, retired_);
    config_.events->on_input({.cpu = number_, .index = retired_, .kind = kind, .address = address, .value = value});
}

Registers Cpu::registers() const {
    Registers result{};
    std::copy(std::begin(state_->general), std::end(state_->general), result.general);
    result.rip = at();
    result.rflags = rflags();
    result.cr0 = state_->cr[0], result.cr2 = state_->cr[2], result.cr3 = state_->cr[3], result.cr4 = state_->cr[4];
    result.efer = *view_.efer;
    result.fs_base = state_->segments[fs].base, result.gs_base = state_->segments[gs].base;
    result.cs = std::uint16_t(state_->segments[cs].selector), result.ss = std::uint16_t(state_->segments[ss].selector);
    return result;
}

std::uint64_t Cpu::rflags() const {
    std::uint64_t value = 0;
    uc_reg_read(uc_.get(), UC_X86_REG_RFLAGS, &value);
    return value;
}

void Cpu::write_register(int name, std::uint64_t value) { uc_reg_write(uc_.get(), name, &value); }

std::uint64_t Cpu::read_msr(std::uint32_t number) const {
    uc_x86_msr msr{.rid = number, .value = 0};
    uc_reg_read(uc_.get(), UC_X86_REG_MSR, &msr);
    return msr.value;
}

}  // namespace sim::unicorn
