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

inline constexpr std::uint32_t hidden_cpl = 3;
inline constexpr std::uint32_t hidden_inhibit = 1u << 3;
inline constexpr std::uint32_t hidden_code64 = 1u << 15;

// Pointers into one instance; valid as long as it is open.
struct CpuView {
    CpuState* state = nullptr;
    std::uint64_t* efer = nullptr;
    std::int32_t* error_code = nullptr;
    std::int32_t* is_int = nullptr;         // the exception comes from INT n
    std::int32_t* old_exception = nullptr;  // -1: none is being delivered

    unsigned cpl() const { return state->hidden_flags & hidden_cpl; }
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
