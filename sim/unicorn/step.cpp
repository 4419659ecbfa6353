// SPDX-License-Identifier: GPL-2.0-or-later
// From one instruction to the next when it is more than "the next one in the block, nothing due".
#include <algorithm>
#include <regs/control.hpp>
#include <regs/pc.hpp>
#include <sim/board/text.hpp>
#include <sim/unicorn/cpu.hpp>
#include <sim/unicorn/descriptors.hpp>
#include <sim/unicorn/opcode_bytes.hpp>

namespace sim::unicorn {

namespace {
const Step end_step{no_match, nullptr};

constexpr unsigned io_privilege_shift = 12;
constexpr std::uint64_t repeat_poll_iterations = 4096;

// SplitMix64: its state is a counter, so the n-th number depends on the seed and n only.
std::uint64_t next_random(std::uint64_t& state) {
    std::uint64_t x = state += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}
}  // namespace

const Step* Cpu::no_step() { return &end_step; }

const Step* Cpu::slow_step(std::uint64_t address, std::uint32_t bytes) {
    if (announced_) {
        const Instruction& last = *current_->instruction;
        // The same instruction again without a jump: an iteration of a string instruction, or the engine starts it
        // afresh because it writes into its own block. It has not retired.
        if (last.address == address && (last.rep || last.flow == Flow::next)) {
            --retired_;
            announced_ = 0;
            return again(current_, address, bytes);
        }
        retire_announced();
        if (run_.stopping) return nullptr;
    }
    const bool sequential = next_->instruction && next_->instruction->address == address &&
                            (!code_written_ || recorder_.block()->current());
    code_written_ = false;
    if (!sequential) {
        recorder_.flush(left_block(address), retired_);
        if (config_.clock == Clock::cycles && apic_.deadline_ticks() <= now_ticks()) wait_for_change();
    }
    if (retired_ >= due_ && attend(address)) return nullptr;
    const Step* step = sequential ? next_ : enter_block(address, bytes);
    if (!paging() && view_.code64() && beyond_physical(*step->instruction)) return nullptr;
    if (config_.imposed) announce_imposed(step);
    if (step->match == no_match && !before_special(step)) return nullptr;
    return step;
}

// The announced instruction has retired (`retired_` counts it already).
void Cpu::retire_announced() {
    announced_ = 0;
    if (current_->instruction->rep) recorder_.merge_iteration();
    else recorder_.commit();
    if (current_->match == no_match) after_special(*current_->instruction);
}

bool Cpu::left_block(std::uint64_t address) const {
    return current_ && address != current_->instruction->address + current_->instruction->length;
}

const Step* Cpu::again(const Step* step, std::uint64_t address, std::uint32_t bytes) {
    if (!step->instruction->rep) {
        recorder_.drop();
        if (!recorder_.block()->current()) {  // it rewrote what follows it
            recorder_.flush(false, retired_);
            step = enter_block(address, bytes);
        }
        return step->match == no_match && !before_special(step) ? nullptr : step;
    }
    recorder_.merge_iteration();
    if (recorder_.crowded()) recorder_.flush(false, retired_);
    if (config_.imposed) {
        next_ = step;  // an interrupt here cuts the block short before this instruction
        go_to(address);
        if (follow(address)) return nullptr;
    }
    if (++repeat_polls_ % repeat_poll_iterations == 0 || board_.power_off()) {
        // Millions of iterations are one instruction for the clock, but not for who waits for the run to end.
        if (config_.stop && config_.stop->load(std::memory_order_relaxed)) {
            go_to(address);
            stop(StopReason::interrupted, "stopped from outside at " + where(address));
            return nullptr;
        }
    }
    return step;
}

const Step* Cpu::enter_block(std::uint64_t address, std::uint32_t bytes) {
    const CodeCache::Place place = code_.find(space_, address, view_.mode(), bytes, bit_);
    recorder_.begin(place.block, place.index, retired_);
    return &place.block->steps[place.index];
}

void Cpu::after_special(const Instruction& instruction) {
    const auto control = [this](ControlKind kind, std::uint64_t which, std::uint64_t value) {
        if (!config_.events) return;
        recorder_.flush(false, retired_);
        config_.events->on_control({.cpu = number_, .index = retired_, .kind = kind, .which = which, .value = value});
    };
    switch (instruction.special) {
        case Special::wrmsr:
            space_.flush();
            if (written_msr_ == regs::msr::efer) control(ControlKind::efer, written_msr_, *view_.efer);
            else control(ControlKind::msr, written_msr_, written_msr_value_);
            break;
        case Special::mov_to_cr: {
            space_.flush();
            wait_for_change();  // paging may have begun
            if (paging() && !(state_->hidden_flags & hidden_long))
                return stop(StopReason::unsupported,
                            "paging without EFER.LME, at " + where(instruction.address) +
                                ": the page tables of 32-bit kernels are not read here, only those of 64-bit mode");
            const Opcode opcode = opcode_of(instruction);
            switch (opcode.at[1] == 0x22 ? opcode.reg() : 0) {  // else CLTS or LMSW
                case 0:
                    control(ControlKind::cr0, 0, state_->cr[0]);
                    break;
                case 2:
                    control(ControlKind::cr2, 2, state_->cr[2]);
                    break;
                case 3:
                    control(ControlKind::cr3, 3, state_->cr[3]);
                    break;
                case 4:
                    control(ControlKind::cr4, 4, state_->cr[4]);
                    break;
                default:
                    break;
            }
            break;
        }
        case Special::invlpg:
            space_.flush_page(invalidated_page_);
            control(ControlKind::invalidate_page, invalidated_page_, 0);
            break;
        case Special::sti:
            if (!was_interruptible_) shadow_until_ = retired_ + 1;
            wait_for_change();
            break;
        case Special::mov_ss:
            shadow_until_ = retired_ + 1;
            wait_for_change();
            break;
        case Special::popf:
        case Special::iret:
        case Special::sysret:
            wait_for_change();
            break;
        case Special::pause:
            if (!several_) break;
            // Whoever waits lets those go on for whom it may be waiting.
            skipped_ += pause_ticks;
            slice_until_ = std::min(slice_until_, others_at_);
            wait_for_change();
            break;
        default:
            break;
    }
}

// True: execute it.
bool Cpu::before_special(const Step* step) {
    const Instruction& instruction = *step->instruction;
    const std::uint64_t address = instruction.address;
    switch (instruction.special) {
        case Special::in:
        case Special::out:
            // The engine does not look at IOPL.
            if (view_.cpl() <= (state_->rflags >> io_privilege_shift & 3) || io_permitted(instruction)) return true;
            deliver_in_hook({.vector = general_protection}, Entry::exception, address, step);
            return false;
        case Special::syscall:
            if (!view_.code64()) {
                stop(StopReason::unsupported, "SYSCALL of 32-bit code, at " + where(address));
                return false;
            }
            if (*view_.efer & regs::efer::sce) return true;
            deliver_in_hook({.vector = invalid_opcode}, Entry::exception, address, step);
            return false;
        case Special::unsupported:
            if (view_.cpl() == 3) {  // CPUID does not announce it
                deliver_in_hook({.vector = invalid_opcode}, Entry::exception, address, step);
                return false;
            }
            go_to(address);
            stop(StopReason::unsupported, code_.text(*recorder_.block(), instruction) + " at " + where(address) +
                                              ": an instruction that this CPU does not announce and this engine cannot "
                                              "run (no AVX, no TSX)");
            return false;
        case Special::invlpg:
            invalidated_page_ = operand_address(instruction.memory[0]);
            return true;
        case Special::mov_to_cr:
            if (view_.cpl() != 0 || !control_value_faults(instruction)) return true;
            deliver_in_hook({.vector = general_protection}, Entry::exception, address, step);
            return false;
        case Special::wrmsr:
            if (view_.cpl() == 0 && control_value_faults(instruction)) {
                deliver_in_hook({.vector = general_protection}, Entry::exception, address, step);
                return false;
            }
            written_msr_ = std::uint32_t(state_->general[1]);
            written_msr_value_ = state_->general[2] << 32 | std::uint32_t(state_->general[0]);
            return true;
        case Special::rdmsr:
            if (view_.cpl() != 0 || !imposes_msr(std::uint32_t(state_->general[1]))) return true;
            emulate_rdmsr(step);
            return false;
        case Special::sti:
            was_interruptible_ = interruptible();
            return true;
        case Special::rdtsc:
        case Special::rdtscp:
            // Read only by the CPU that is behind all others: so no one sees it go backwards, on whichever CPU.
            if (timer_clock() <= others_at_) return true;
            end_slice(address);
            next_ = step;
            return false;
        case Special::rdrand:
            emulate_random(instruction);
            skip(step);
            return false;
        case Special::plain:
            if (!division_overflows(instruction)) return true;
            deliver_in_hook({.vector = regs::vector::divide}, Entry::exception, address, step);
            return false;
        default:
            return true;
    }
}

// The host has done it: go on behind it.
void Cpu::skip(const Step* step) {
    announced_ = 1;
    current_ = step;
    next_ = step + 1;
    write_register(UC_X86_REG_RIP, view_.rip_of(step->instruction->address + step->instruction->length));
}

// RDRAND and RDSEED, which CPUID does not announce, come from the run's seed.
void Cpu::emulate_random(const Instruction& instruction) {
    const std::uint64_t offset = instruction.address - recorder_.block()->code.address;
    const Opcode opcode = skip_prefixes(&recorder_.block()->code.bytes[offset]);  // 0F C7 /6 or /7
    std::uint64_t& target = state_->general[opcode.rm()];
    std::uint64_t value = config_.imposed ? imposed_input(InputKind::random, 0) : next_random(run_.random_state);
    if (!(opcode.rex & 8)) value = opcode.operand16 ? value & 0xffff : value & 0xffff'ffff;
    input(InputKind::random, 0, value);
    target = opcode.operand16 && !(opcode.rex & 8) ? (target & ~0xffffull) | value : value;
    constexpr std::uint64_t arithmetic_flags = 0x8d5, carry = 1;  // of these only the carry is set: a number is there
    write_register(UC_X86_REG_RFLAGS, (rflags() & ~arithmetic_flags) | carry);
}

// Something may be due. True: it was, and the instruction at `address` is not to be executed now.
bool Cpu::attend(std::uint64_t address) {
    go_to(address);
    if (const auto& off = board_.power_off()) {
        run_.result.guest_code = off->code;
        stop(off->reason, off->detail);
        return true;
    }
    if (config_.instruction_limit && retired_ >= *config_.instruction_limit) {
        stop(StopReason::instruction_limit, "the limit was reached at " + where(address));
        return true;
    }
    if (config_.stop && config_.stop->load(std::memory_order_relaxed)) {
        stop(StopReason::interrupted, "stopped from outside at " + where(address));
        return true;
    }
    if (config_.progress) config_.progress->store(retired_, std::memory_order_relaxed);
    if (config_.imposed) return follow(address);
    raise_due();
    if (several_) {
        take_signals();
        if (run_.stopping) return true;
        if (activity_ != Activity::running) {
            uc_emu_stop(uc_.get());
            return true;
        }
        if (timer_clock() >= slice_until_) {
            end_slice(address);
            return true;
        }
    }
    if (const auto vector = apic_.pending(); vector && interruptible() && retired_ >= shadow_until_) {
        take_interrupt(*vector, address);
        if (!run_.stopping) write_register(UC_X86_REG_RIP, state_->rip);
        return true;
    }
    update_attention();
    return false;
}

// Timer and extra interrupts whose time has come become pending.
void Cpu::raise_due() {
    apic_.advance(timer_clock());
    for (; next_irq_at_ < irq_at_.size() && irq_at_[next_irq_at_] <= retired_; ++next_irq_at_)
        if (!apic_.raise_timer()) run_.result.irq_at_ignored.push_back(irq_at_[next_irq_at_]);
}

void Cpu::take_interrupt(std::uint8_t vector, std::uint64_t address) {
    if (recorder_.block() && next_->instruction && next_->instruction->address == address)
        code_.remember(recorder_.block(), index_of(next_));
    recorder_.flush(left_block(address), retired_);
    if (!config_.imposed) apic_.accept(vector);
    if (run_.result.interrupts_at.size() < interrupts_noted) run_.result.interrupts_at.push_back(retired_);
    next_ = no_step();
    deliver({.vector = vector}, Entry::interrupt, address);
    update_attention();
}

void Cpu::update_attention() {
    if (config_.imposed) return wait_for_change();  // every instruction is asked for
    std::uint64_t next = retired_ + poll_instructions;
    if (config_.instruction_limit) next = std::min(next, *config_.instruction_limit);
    if (next_irq_at_ < irq_at_.size()) next = std::min(next, irq_at_[next_irq_at_]);
    if (config_.clock == Clock::instructions) {
        const std::uint64_t deadline = apic_.deadline_ticks();
        if (deadline != LocalApic::never)
            next = std::min(next, deadline + others_ - std::min(deadline + others_, skipped_));
    }
    if (slice_until_ != never)
        next = std::min(next, slice_until_ + others_ - std::min(slice_until_ + others_, skipped_));
    if (shadow_until_ > retired_) next = std::min(next, shadow_until_);
    due_ = next;
    // 64-bit code without paging, every instruction of it, is looked at: see beyond_physical.
    attention_ = paging() || !view_.code64() ? next : 0;
}

}  // namespace sim::unicorn
