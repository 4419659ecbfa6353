// SPDX-License-Identifier: GPL-2.0-or-later
// Direct sight of the CPU state inside a Unicorn instance.
//
// Unicorn has no call for what delivering an exception needs (error code, privilege level, hidden parts of segments,
// the pending-exception state), and a uc_reg_read costs 6 ns where a load costs less than one. So the place of the
// state is found once at start, by values planted through the public interface, and checked; a library whose layout
// differs is refused with a clear message rather than misread. Inside a hook the state is current except for the
// arithmetic flags, which Unicorn evaluates lazily: those go through uc_reg_read/uc_reg_write.
#pragma once
#include <unicorn/unicorn.h>

#include <cstdint>
#include <sim/engine.hpp>

namespace sim::unicorn {

// A segment register with its hidden part.
struct SegmentState {
    std::uint32_t selector;
    std::uint32_t padding;
    std::uint64_t base;
    std::uint32_t limit;
    std::uint32_t attributes;  // the descriptor's second word
};
static_assert(sizeof(SegmentState) == 24);

// The leading part of the state. Offsets held in 2.0.1, 2.1.1 and 2.1.4; `locate` checks them.
struct CpuState {
    std::uint64_t general[16];
    std::uint64_t rip;
    std::uint64_t rflags;  // without the lazy arithmetic flags and DF
    std::uint64_t lazy_flags[4];
    std::uint32_t hidden_flags;  // bits 0-1: privilege level; 3: interrupts inhibited for one instruction
    std::uint32_t hidden_flags2;
    SegmentState segments[6];  // es cs ss ds fs gs
    SegmentState ldt, tr, gdt, idt;
    std::uint64_t cr[5];
};
static_assert(sizeof(CpuState) == 464);

enum SegmentIndex : unsigned { es, cs, ss, ds, fs, gs };
constexpr unsigned segment_index(SegmentBase segment) {  // not for `none`
    constexpr std::uint8_t indices[] = {0, fs, gs, es, cs, ss, ds};
    return indices[unsigned(segment)];
}

inline constexpr std::uint32_t hidden_cpl = 3;
inline constexpr std::uint32_t hidden_inhibit = 1u << 3;
inline constexpr std::uint32_t hidden_code32 = 1u << 4;    // CS.D, also set in 64-bit mode
inline constexpr std::uint32_t hidden_stack32 = 1u << 5;   // SS.B, also set in 64-bit mode
inline constexpr std::uint32_t hidden_segments = 1u << 6;  // some base of DS, ES, SS is not zero, or real mode
inline constexpr std::uint32_t hidden_protected = 1u << 7;
inline constexpr std::uint32_t hidden_long = 1u << 14;  // EFER.LMA
inline constexpr std::uint32_t hidden_code64 = 1u << 15;

// Pointers into one instance; valid as long as it is open.
struct CpuView {
    CpuState* state = nullptr;
    std::uint64_t* efer = nullptr;
    std::int32_t* error_code = nullptr;
    std::int32_t* is_int = nullptr;         // the exception comes from INT n
    std::int32_t* old_exception = nullptr;  // -1: none is being delivered

    unsigned cpl() const { return state->hidden_flags & hidden_cpl; }
    bool code64() const { return state->hidden_flags & hidden_code64; }
    CodeMode mode() const {
        if (code64()) return {};
        const auto bits = [this](std::uint32_t flag) { return std::uint8_t(state->hidden_flags & flag ? 32 : 16); };
        return {.bits = bits(hidden_code32), .stack_bits = bits(hidden_stack32)};
    }
    // Between the linear address of an instruction, by which everything goes here, and the RIP that leads there.
    std::uint64_t linear(std::uint64_t rip) const { return rip + state->segments[cs].base; }
    std::uint64_t rip_of(std::uint64_t linear) const { return linear - state->segments[cs].base; }
};

// Where the parts are: found once a process, the same for all instances.
struct CpuLayout {
    std::size_t pointer;  // in uc_engine: to the CPU object
    std::size_t state;    // in the CPU object: the CpuState; the following are relative to it
    std::size_t error_code;
    std::size_t old_exception;
    std::size_t efer;
};

const CpuLayout& cpu_layout();  // calibrates at the first call; throws EngineError
CpuView view_cpu(uc_engine*);   // throws EngineError

// A new instance with the CPU model this engine uses. Throws EngineError.
uc_engine* open_instance();

}  // namespace sim::unicorn
