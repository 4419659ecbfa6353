// SPDX-License-Identifier: GPL-2.0-or-later
// One CPU: a Unicorn instance, and the hook that sees every instruction before it executes.
//
// The hook announces an instruction; it has retired when the hook is called for the next one, unless an exception came
// in between. `retired_` is the only clock: everything that must happen at a certain point (timer, extra interrupts,
// the end of a slice, the instruction limit, looking at the stop flag) is put into `attention_`, one number that the
// hook compares with it. Instructions that need work before or after them never match the fast path's address.
//
// `retired_` counts the instructions of all CPUs, so that a number names one instruction of the run: what the others
// retired between two slices of this CPU is added when the second one begins. Local time leaves them out.
#pragma once
#include <unicorn/unicorn.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <sim/engine.hpp>
#include <sim/image/image.hpp>
#include <sim/imposed.hpp>
#include <sim/unicorn/address_space.hpp>
#include <sim/unicorn/code_cache.hpp>
#include <sim/unicorn/cpu_state.hpp>
#include <sim/unicorn/entry.hpp>
#include <sim/unicorn/recorder.hpp>
#include <sim/unicorn/run_state.hpp>
#include <string>

namespace sim::unicorn {

struct CodeDescriptor;
struct Gate;
struct Opcode;

// An exception that the CPU raises, or would.
struct Fault {
    std::uint8_t vector;
    std::uint32_t error_code = 0;
    std::uint64_t address = 0;  // #PF: what CR2 becomes
    const char* why = "";       // of one met while delivering another
};

class Cpu {
  public:
    static constexpr std::uint64_t never = LocalApic::never;

    Cpu(RunState&, unsigned number);  // throws EngineError
    ~Cpu();
    Cpu(const Cpu&) = delete;
    Cpu& operator=(const Cpu&) = delete;

    // Where and in which mode the boot protocol says, interrupts off, no paging. Until then, or until a start-up
    // message comes from another CPU, it waits.
    void enter(const KernelEntry& entry) {
        enter_kernel(uc_.get(), view_, entry);
        activity_ = Activity::running;
    }

    void start_imposed();  // instead of `enter`

    // Local time at which it can go on: now, when it wakes from HLT or a message arrives, or `never`.
    std::uint64_t ready_at();
    // Goes on until HLT, a local time or the end of the run; at `others_at` another CPU is ready. Throws what a sink or
    // a console threw.
    void run_slice(std::uint64_t others_at, std::uint64_t until);
    // Hands over what is left, at the end of the run.
    void finish();

    bool interruptible() const { return state_->rflags & rflags_if; }
    bool halted() const { return activity_ == Activity::halted; }
    std::uint64_t now_ticks();
    InstructionIndex instructions() const { return retired_ - others_; }
    std::string where_it_is() const { return where(at()); }
    void stop(StopReason, std::string detail);

  private:
    enum class Activity : std::uint8_t { running, halted, waiting };  // waiting: for a start-up message
    struct Hooks;                                                     // the C callbacks: hooks.cpp
    friend struct Hooks;

    // hooks.cpp: the fast path
    void install_hooks();
    template <bool accesses, bool several>
    void on_code(std::uint64_t address, std::uint32_t bytes);
    template <bool several>
    void record(const Instruction&, std::uint16_t index);
    template <bool several>
    void record_split(const MemoryOperand&, std::uint16_t index, std::uint64_t address);

    std::uint64_t operand_address(const MemoryOperand& operand) const {
        std::uint64_t address = std::uint64_t(operand.displacement);
        if (operand.base != no_register) address += state_->general[operand.base];
        if (operand.index != no_register) address += state_->general[operand.index] * operand.scale;
        if (operand.address_bits != 64) [[unlikely]]
            address = operand.address_bits == 32 ? std::uint32_t(address) : std::uint16_t(address);
        if (operand.segment != SegmentBase::none) {
            address += state_->segments[segment_index(operand.segment)].base;
            if (operand.linear32) address = std::uint32_t(address);
        }
        return address;
    }

    // Iterations left of a REP instruction: the counter is as wide as its addresses.
    std::uint64_t repeat_count(const Instruction& instruction) const {
        const std::uint64_t count = state_->general[1];
        const unsigned bits = instruction.memory[0].address_bits;
        return bits == 64 ? count : bits == 32 ? std::uint32_t(count) : std::uint16_t(count);
    }

    // step.cpp: everything else about going from one instruction to the next. Null: do not execute what is there.
    const Step* slow_step(std::uint64_t address, std::uint32_t bytes);
    const Step* again(const Step*, std::uint64_t address, std::uint32_t bytes);
    const Step* enter_block(std::uint64_t address, std::uint32_t bytes);
    void retire_announced();
    bool left_block(std::uint64_t address) const;
    void after_special(const Instruction&);
    bool before_special(const Step*);
    void emulate_random(const Instruction&);
    void skip(const Step*);
    bool attend(std::uint64_t address);
    void raise_due();
    void take_interrupt(std::uint8_t vector, std::uint64_t address);
    void update_attention();
    static const Step* no_step();
    unsigned index_of(const Step* step) const { return unsigned(step - recorder_.block()->steps.data()); }

    // imposed.cpp: a run whose inputs and interrupts are given
    bool follow(std::uint64_t address);
    void wake_imposed();
    void announce_imposed(const Step*);
    std::uint64_t imposed_input(InputKind, std::uint64_t address, unsigned bytes = 8, unsigned part = 0);
    bool imposes_msr(std::uint32_t number) const;
    void emulate_rdmsr(const Step*);
    ArchitecturalState architectural_state() const;
    void adopt(const ArchitecturalState&);

    // checks.cpp
    Opcode opcode_of(const Instruction&) const;  // of the block at hand
    bool control_value_faults(const Instruction&) const;
    bool beyond_physical(const Instruction&);
    bool io_permitted(const Instruction&);
    bool division_overflows(const Instruction&);

    // delivery.cpp
    enum class Entry : std::uint8_t { exception, interrupt, software };
    // Delivers, or what comes of trying: a double fault, a triple fault (then the run stops).
    void deliver(Fault, Entry, std::uint64_t return_address);
    void deliver_in_hook(Fault, Entry, std::uint64_t address, const Step*);
    std::optional<Fault> try_deliver(const Fault&, Entry, std::uint64_t return_address);
    std::optional<Fault> read_gate(std::uint8_t vector, std::uint32_t external, Gate&);
    std::optional<Fault> check_gate(const Gate&, std::uint8_t vector, Entry) const;
    std::optional<Fault> read_code_descriptor(std::uint16_t selector, std::uint32_t external, CodeDescriptor&);
    std::optional<Fault> software_gate_fault(std::uint8_t vector);
    std::optional<Fault> read_system(std::uint64_t address, void* to, unsigned bytes, const char* what);
    void note_fault(const Fault&);
    void settle_announced(bool retired, std::uint64_t next_address);
    void on_exception(std::uint32_t vector);
    void on_invalid_instruction();
    void on_syscall();
    // delivery32.cpp
    std::optional<Fault> try_deliver32(const Fault&, Entry, std::uint64_t return_address);
    bool refuses_legacy(std::uint8_t vector, std::uint64_t return_address);
    std::optional<Fault> inner_stack32(unsigned cpl, std::uint32_t external, SegmentState&, std::uint32_t& pointer);

    // ends.cpp: what ends the run, or only seems to
    void stop_outside(std::uint64_t physical, const char* doing, std::uint64_t at);
    void stop_on_error(uc_err);
    void stop_on_fetch();
    bool faults_ahead(std::uint64_t rip);
    bool end_translation_at_edge(std::uint64_t address);
    void forget_edge();
    std::uint64_t operand_outside();

    // cpu.cpp
    void begin_slice();
    void end_slice(std::uint64_t address);
    void forget_stale_pages();
    void touch_line(std::uint64_t physical, bool write);
    void written_elsewhere(std::uint64_t physical);
    void halt();
    void wake();
    void take_signals();
    void reset();
    void start(std::uint8_t vector);
    bool attend_halted();
    std::uint64_t timer_clock() { return config_.clock == Clock::cycles ? now_ticks() : retired_ - others_ + skipped_; }
    void input(InputKind, std::uint64_t address, std::uint64_t value);
    Registers registers() const;
    std::string where(std::uint64_t address) const { return config_.image->place(address); }
    std::uint64_t rflags() const;
    std::uint64_t read_register(int name) const;
    void write_register(int name, std::uint64_t value);
    std::uint64_t read_msr(std::uint32_t number) const;
    void wait_for_change() { due_ = attention_ = 0; }  // look again at the next instruction
    // Instructions are known by their linear addresses; in 16 and 32-bit code RIP counts from the base of CS.
    std::uint64_t at() const { return view_.linear(state_->rip); }
    void go_to(std::uint64_t linear) { state_->rip = view_.rip_of(linear); }
    bool paging() const { return state_->cr[0] >> 31 & 1; }

    static constexpr std::uint64_t rflags_if = 1u << 9, rflags_tf = 1u << 8, rflags_nt = 1u << 14, rflags_rf = 1u << 16,
                                   rflags_vm = 1u << 17;
    static constexpr std::uint64_t poll_instructions = 1024;  // at least so often the stop flag is looked at
    static constexpr std::uint64_t pause_ticks = 64;          // with several CPUs: an estimate (Zen 4: 40 to 70 cycles)
    static constexpr unsigned fault_history = 8;
    // What the fast path touches, together.
    const Step* next_ = nullptr;     // expected next
    const Step* current_ = nullptr;  // announced; meaningful if `announced_`
    std::uint64_t retired_ = 0;
    std::uint64_t attention_ = 0;  // no more than `due_`
    std::uint32_t announced_ = 0;  // 1: `current_` was announced and nothing is known of it yet
    bool code_written_ = false;    // a store went to a page that holds code
    bool slice_over_ = false;
    CpuState* state_ = nullptr;

    RunState& run_;
    const RunConfig& config_;
    const CpuidTable& cpuid_;
    Board& board_;
    CodeCache& code_;
    LocalApic& apic_;
    const std::uint32_t number_;
    const std::uint16_t bit_;  // in sets of CPUs
    const bool several_;
    std::unique_ptr<uc_engine, void (*)(uc_engine*)> uc_;
    std::unique_ptr<uc_context, uc_err (*)(uc_context*)> after_reset_;
    CpuView view_;
    AddressSpace space_;
    Recorder recorder_;

    Activity activity_ = Activity::waiting;
    bool deaf_ = false;                                      // in HLT: the timer's interrupt cannot end it
    std::uint64_t slept_ = 0;                                // ticks, in the HLT at hand
    std::uint64_t others_at_ = never, slice_until_ = never;  // local times: see run_slice
    std::uint64_t others_ = 0;                               // of `retired_`: the other CPUs' instructions
    std::uint64_t due_ = 0;           // retired_ at which something is to be done between instructions
    std::uint64_t skipped_ = 0;       // ticks slept in HLT
    std::uint64_t shadow_until_ = 0;  // interrupts are held off while retired_ is below (STI, MOV SS)
    std::size_t next_irq_at_ = 0;
    std::vector<std::uint64_t> irq_at_;  // sorted
    std::uint64_t repeat_polls_ = 0;
    std::uint64_t invalidated_page_ = 0;  // operand of the INVLPG that was announced
    std::uint64_t written_msr_ = 0, written_msr_value_ = 0;
    bool was_interruptible_ = false;     // before the STI that was announced
    std::optional<std::uint64_t> edge_;  // where the engine is to stop translating: what follows cannot be fetched
    bool fetched_ahead_ = false;         // set in a hook: find the edge and go on
    bool stale_code_ = false;            // the host wrote over code that the engine has translated
    std::deque<FaultStep> faults_;
};

}  // namespace sim::unicorn
