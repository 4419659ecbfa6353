// SPDX-License-Identifier: GPL-2.0-or-later
// A run whose outside is imposed: what it starts from, what its inputs are and where it is interrupted come from a log
// of another run, not from devices and clocks of its own. Lockstep's follower has its leader's; a replay its trace's.
//
// The log has a place in the run: inputs come in program order, interrupts at a number of retired instructions. An
// engine under imposition asks for both at the instruction that is to have them, and tells its state at each, so that
// whoever imposes can also compare.
#pragma once
#include <cstddef>
#include <cstdint>
#include <sim/events.hpp>
#include <span>
#include <string>

namespace sim {

enum class StopReason : std::uint8_t;  // sim/engine.hpp

// Everything of a CPU that instructions can see, less model-specific registers.
struct ArchitecturalState {
    struct Segment {
        std::uint32_t selector, limit;
        std::uint64_t base;
        std::uint64_t attributes;  // the descriptor's second word
    };
    enum SegmentIndex : unsigned { es, cs, ss, ds, fs, gs, ldt, tr, gdt, idt };

    std::uint64_t general[16];  // in encoding order
    std::uint64_t rip, rflags;
    std::uint64_t cr[5];
    std::uint64_t efer;
    std::uint64_t hidden_flags;  // QEMU's and Unicorn's summary: bits 0-1 privilege level, 3 interrupt shadow, 15 CS.L
    Segment segments[10];        // SegmentIndex
    std::uint64_t xmm[16][2];
    std::uint64_t x87[8][2];  // by number of the register, not of the stack: 64 bits of significand, 16 above
    std::uint64_t mxcsr, x87_control, x87_status;
};
static_assert(sizeof(ArchitecturalState) == 106 * 8);

struct InputRequest {
    InputKind kind;
    std::uint64_t address;  // as in Input
    unsigned bytes = 8;     // 1, 2, 4 or 8
    unsigned part = 0;      // cpuid: 0 ebx:eax, 1 edx:ecx; mmio: bytes of the same access before these
};

class Imposed {
  public:
    virtual ~Imposed() = default;

    // Before the first instruction: fills RAM and says what the CPU holds.
    virtual ArchitecturalState start(std::span<std::uint8_t> ram) = 0;

    struct Order {
        enum class What : std::uint8_t { execute, interrupt, adopt, stop } what = What::execute;
        std::uint8_t vector = 0;
        const ArchitecturalState* state = nullptr;  // to adopt: then `before` is asked again
        std::string why;                            // of a stop
    };
    // Before an instruction, which `retired` others have come before: again if an exception or interrupt came in
    // between. After HLT with `halted` set: `execute` then goes on behind it.
    virtual Order before(InstructionIndex retired, const ArchitecturalState&, bool halted) = 0;
    // The instruction that is to be executed now. Not repeated for the iterations of a string instruction, before each
    // of which `before` is asked.
    virtual void announce(const Instruction&, std::span<const std::uint8_t> bytes) = 0;
    // An input of the instruction that was announced.
    virtual std::uint64_t input(const InputRequest&) = 0;
    // The run has ended; RAM is as it left it.
    virtual void end(StopReason) = 0;
};

}  // namespace sim
