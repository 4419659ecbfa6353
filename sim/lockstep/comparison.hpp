// SPDX-License-Identifier: GPL-2.0-or-later
// Imposes the leader's inputs and interrupts on the follower and compares the two before every instruction.
//
// Both tell one state an instruction attempted: an instruction that faults counts, each iteration of a string
// instruction does too. A value that an instruction reads from outside (time stamp, CPUID, port, device, MSR, random
// number) is not in the log as such: it is what the instruction's register holds in the leader's next state. An
// external interrupt is recognised by its effect: the leader goes on at the gate of a vector that the follower, with
// interrupts allowed, had no reason to enter. Which vector it was does not matter where several share a gate's target.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <sim/image/decoder.hpp>
#include <sim/imposed.hpp>
#include <sim/lockstep/leader.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <sim/lockstep/marks.hpp>
#include <span>
#include <string>
#include <vector>

namespace sim::lockstep {

class Comparison final : public Imposed {
  public:
    Comparison(Leader&, LockstepResult&, MarkLog* marks = nullptr);

    ArchitecturalState start(std::span<std::uint8_t> ram) override;
    Order before(InstructionIndex retired, const ArchitecturalState&, bool halted) override;
    void announce(const Instruction&, std::span<const std::uint8_t> bytes) override;
    std::uint64_t input(const InputRequest&) override;
    void end(StopReason) override;

  private:
    struct Last {  // the instruction announced last, and the state before it
        Instruction instruction;
        std::array<std::uint8_t, 16> bytes;
        ArchitecturalState before;
        bool valid = false;
    };

    struct Recent {
        InstructionIndex index;
        std::uint64_t address;
        std::uint8_t length;
        std::array<std::uint8_t, 16> bytes;
    };

    bool fetch();  // the leader's next state into `leader_`, if it is not there
    std::optional<std::uint64_t> gate_target(const ArchitecturalState&, unsigned vector) const;
    void note_mark(const ArchitecturalState&);
    std::optional<std::uint8_t> interrupt_gate(const ArchitecturalState& follower, std::uint64_t target) const;
    bool read_virtual(const ArchitecturalState&, std::uint64_t address, void* to, unsigned bytes) const;
    bool explained(const ArchitecturalState& leader, const ArchitecturalState& follower);
    Order differ(InstructionIndex, const ArchitecturalState& follower, std::string what);
    std::vector<ExecutedInstruction> recent() const;

    Leader& source_;
    LockstepResult& result_;
    MarkLog* marks_;
    std::unique_ptr<Decoder> decoder_;
    std::span<std::uint8_t> ram_;
    ArchitecturalState leader_{}, patch_{};
    bool have_leader_ = false, adopted_ = false, leader_ended_ = false;
    InstructionIndex retired_ = 0;
    Last last_{};
    std::array<Recent, 20> recent_{};
    std::size_t recent_count_ = 0;
};

std::string_view input_name(InputKind);

// What differs between two states that should be equal: names and both values. Hidden flags are compared by what they
// mean to instructions; the accessed and busy bits of descriptors not at all.
std::vector<Field> differences(const ArchitecturalState& leader, const ArchitecturalState& follower);

}  // namespace sim::lockstep
