// SPDX-License-Identifier: GPL-2.0-or-later
// The one table of what engines may do differently without the comparison failing: what the architecture leaves
// undefined, and where an engine is known to be wrong. After such a difference the follower takes over the leader's
// value, so that the comparison stays strict behind it.
#pragma once
#include <cstdint>
#include <optional>
#include <sim/events.hpp>
#include <sim/imposed.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sim::lockstep {

enum class Fault : std::uint8_t {
    undefined,
    qemu,
    unicorn,
    bochs,
    machine
};  // nobody's: the manuals leave it undefined
std::string_view name(Fault);

// An instruction that has executed, with the state before it, as both engines had it.
struct Executed {
    std::string_view opcode;  // LLVM's name: "SHL32rCL"
    const Instruction* instruction;
    std::span<const std::uint8_t> bytes;
    const ArchitecturalState* before;
};

struct KnownDifference {
    std::string_view id;          // "shift-flags"
    std::string_view what;        // one line: what differs
    std::string_view recognised;  // one line: by which instructions and bits
    std::string_view reason;      // one line: why, with the manual's section
    Fault fault;
    // Without a way to recognise it (both null), generated sequences keep away from it: it changes memory or the way
    // on. Bits of RFLAGS that may differ after this instruction; 0: none, it is not one of these. Null: not about
    // flags.
    std::uint64_t (*flags)(const Executed&);
    // May this field, which is not RFLAGS, differ so? Null: not about others.
    bool (*field)(const Field&, const Executed&, const ArchitecturalState& leader) = nullptr;
};

std::span<const KnownDifference> known_differences();

// The entries that explain all of `fields` after `executed`; empty if something is unexplained.
std::vector<const KnownDifference*> explain(std::span<const Field> fields, const Executed&,
                                            const ArchitecturalState& leader);
std::vector<const KnownDifference*> explain_flags(std::uint64_t differing, const Executed&);

}  // namespace sim::lockstep
