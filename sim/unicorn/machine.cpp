// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/machine.hpp>

#include <algorithm>
#include <regs/pc.hpp>
#include <sim/board/text.hpp>

namespace sim::unicorn {

namespace {
using Ull = unsigned long long;

void check(uc_err error, const char* what) {
    if (error) throw EngineError(text("Unicorn cannot %s: %s", what, uc_strerror(error)));
}
}  // namespace

Machine::Machine(const RunConfig& config, const CpuidTable& cpuid)
    : next_(no_step()),
      config_(config),
      cpuid_(cpuid),
      board_(config),
      uc_(open_instance(), [](uc_engine* it) { uc_close(it); }),
      cpu_(view_cpu(uc_.get())),
      space_(board_.memory, cpu_),
      code_(board_.memory, space_),
      recorder_(config.events),
      irq_at_(config.irq_at),
      random_state_(config.seed) {
    state_ = cpu_.state;
    std::sort(irq_at_.begin(), irq_at_.end());
    if (!config.image) throw EngineError("there is no kernel image to run");
    if (config.clock == Clock::cycles && !config.modelled_cycles)
        throw EngineError("the cycle clock needs a timing model to ask");
    const std::uint64_t start_info = load(board_.memory, *config.image, config.command_line);
    check(uc_mem_map_ptr(uc_.get(), 0, board_.memory.bytes(), UC_PROT_ALL, board_.memory.data()),
          "map the board's RAM");
    // With its exits enabled and none set, no address ends the run: not even 0, where a null call goes.
    check(uc_ctl_exits_enable(uc_.get()), "enable exits");
    std::uint64_t none = 0;
    check(uc_ctl_set_exits(uc_.get(), &none, 0), "clear its exits");
    install_hooks();
    state_->general[7] = start_info;
    state_->rip = config.image->entry_physical();
    state_->cr[4] = 0;
    write_register(UC_X86_REG_RFLAGS, 2);
}

Machine::~Machine() = default;

RunResult Machine::run() {
    if (config_.events)
        config_.events->on_input(
            {.cpu = 0, .index = 0, .kind = InputKind::start, .address = at(), .value = config_.seed});
    while (!stopping_) {
        const uc_err error = uc_emu_start(uc_.get(), state_->rip, 0, 0, 0);
        if (failure_) std::rethrow_exception(failure_);
        if (stopping_) break;
        if (fetched_ahead_) {
            fetched_ahead_ = false;
            end_translation_at_edge(at());
        } else if (stale_code_) {
            stale_code_ = false;
            uc_ctl_flush_tb(uc_.get());
            code_.unmark_all();
        } else if (!error && announced_ && current_->instruction->special == Special::hlt) {
            halt();
        } else if (!error && edge_ == at()) {
            forget_edge();
        } else {
            stop_on_error(error);
        }
    }
    recorder_.flush(false, retired_);
    board_.uart.flush();
    if (config_.progress) config_.progress->store(retired_, std::memory_order_relaxed);
    result_.instructions = retired_;
    result_.guest_ticks = now_ticks();
    if (result_.stop != StopReason::power_off) result_.faults.assign(faults_.begin(), faults_.end());
    return std::move(result_);
}

// HLT has executed: sleep until the next interrupt, in no time.
void Machine::halt() {
    settle_announced(true, at());
    shadow_until_ = 0;
    board_.uart.flush();
    if (attend_halted()) return;
    raise_due();
    std::uint64_t slept = 0;
    const std::uint64_t deadline = board_.apic.deadline_ticks();
    if (interruptible() && !board_.apic.pending() && deadline != LocalApic::never) {
        slept = deadline - std::min(deadline, timer_clock());
        skipped_ += slept;
        raise_due();
    }
    if (config_.events) config_.events->on_halt({.cpu = 0, .index = retired_, .skipped_ticks = slept});
    const auto vector = board_.apic.pending();
    if (!vector || !interruptible()) {
        stop(StopReason::halted_for_ever,
             (interruptible() ? "HLT with no interrupt to come, before " : "HLT with interrupts off, before ") +
                 where(at()));
        return;
    }
    take_interrupt(*vector, at());
}

// Ends the run between HLT and the next instruction if it is to end. True: it did.
bool Machine::attend_halted() {
    if (config_.stop && config_.stop->load(std::memory_order_relaxed))
        stop(StopReason::interrupted, "stopped from outside in HLT before " + where(at()));
    else if (config_.instruction_limit && retired_ >= *config_.instruction_limit)
        stop(StopReason::instruction_limit, "the limit was reached in HLT before " + where(at()));
    return stopping_;
}

void Machine::stop(StopReason reason, std::string detail) {
    if (stopping_) return;
    stopping_ = true;
    announced_ = 0;
    result_.stop = reason;
    result_.detail = std::move(detail);
    result_.registers = registers();
    uc_emu_stop(uc_.get());
}

void Machine::stop_outside(std::uint64_t physical, const char* doing, std::uint64_t at) {
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
std::uint64_t Machine::operand_outside() {
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
void Machine::stop_on_error(uc_err error) {
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
void Machine::stop_on_fetch() {
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
bool Machine::faults_ahead(std::uint64_t rip) {
    constexpr std::uint32_t error_fetch = 1u << 4;
    const std::uint64_t next_page = (rip & -page_bytes) + page_bytes;
    if (!(std::uint32_t(*cpu_.error_code) & error_fetch) || state_->cr[2] != next_page) return false;
    const std::uint64_t edge = code_.line_end(rip, cpu_.mode());
    if (edge == rip || edge_ == edge) return false;
    *cpu_.old_exception = -1;
    fetched_ahead_ = true;
    uc_emu_stop(uc_.get());
    return true;
}

bool Machine::end_translation_at_edge(std::uint64_t address) {
    std::uint64_t edge = code_.line_end(address, cpu_.mode());
    if (edge == address || edge_ == edge) return false;
    forget_edge();
    edge_ = edge;
    check(uc_ctl_set_exits(uc_.get(), &edge, 1), "set an exit");
    return true;
}

void Machine::forget_edge() {
    if (!edge_) return;
    edge_.reset();
    std::uint64_t none = 0;
    check(uc_ctl_set_exits(uc_.get(), &none, 0), "clear its exits");
    uc_ctl_flush_tb(uc_.get());  // what ends there
}

std::uint64_t Machine::now_ticks() {
    if (config_.clock == Clock::instructions) return retired_ + skipped_;
    recorder_.flush(false, retired_);
    return config_.modelled_cycles() + skipped_;
}

void Machine::input(InputKind kind, std::uint64_t address, std::uint64_t value) {
    if (!config_.events) return;
    recorder_.flush(false, retired_);
    config_.events->on_input({.cpu = 0, .index = retired_, .kind = kind, .address = address, .value = value});
}

Registers Machine::registers() const {
    Registers result{};
    std::copy(std::begin(state_->general), std::end(state_->general), result.general);
    result.rip = at();
    result.rflags = rflags();
    result.cr0 = state_->cr[0], result.cr2 = state_->cr[2], result.cr3 = state_->cr[3], result.cr4 = state_->cr[4];
    result.efer = *cpu_.efer;
    result.fs_base = state_->segments[fs].base, result.gs_base = state_->segments[gs].base;
    result.cs = std::uint16_t(state_->segments[cs].selector), result.ss = std::uint16_t(state_->segments[ss].selector);
    return result;
}

std::string Machine::where(std::uint64_t address) const {
    const Location& location = config_.image->locate(address);
    std::string result = text("%#llx", Ull(address));
    if (!location.function.empty())
        result += text(" (%s+%#llx", location.function.c_str(), Ull(location.offset)) +
                  (location.file.empty() ? ")" : text(", %s:%u)", location.file.c_str(), location.line));
    return result;
}

std::uint64_t Machine::rflags() const {
    std::uint64_t value = 0;
    uc_reg_read(uc_.get(), UC_X86_REG_RFLAGS, &value);
    return value;
}

void Machine::write_register(int name, std::uint64_t value) { uc_reg_write(uc_.get(), name, &value); }

std::uint64_t Machine::read_msr(std::uint32_t number) const {
    uc_x86_msr msr{.rid = number, .value = 0};
    uc_reg_read(uc_.get(), UC_X86_REG_MSR, &msr);
    return msr.value;
}

}  // namespace sim::unicorn
