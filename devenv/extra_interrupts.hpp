// SPDX-License-Identifier: GPL-2.0-or-later
// What became of the interrupts that --irq-at asked for: an interrupt that never came must not look like a passed test.
#pragma once
#include <cstdint>
#include <optional>
#include <sim/engine.hpp>
#include <span>
#include <string>
#include <vector>

namespace devenv {

struct ExtraInterrupt {
    std::uint64_t at;                           // as asked for: a retired-instruction number
    std::optional<std::uint64_t> delivered_at;  // the same or later: interrupts were masked in between
    std::string reason;                         // why it was not; empty if it was
};

// One for each of `irq_at`, in its order. Two that were pending at once are delivered as one, at one instruction.
std::vector<ExtraInterrupt> extra_interrupts(std::span<const std::uint64_t> irq_at, const sim::RunResult&);

}  // namespace devenv
