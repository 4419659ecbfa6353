// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/extra_interrupts.hpp>

namespace devenv {

namespace {

constexpr std::size_t deliveries_listed = 1 << 16;  // at most, by the engine

ExtraInterrupt fate(std::uint64_t at, const sim::RunResult& run) {
    if (std::ranges::count(run.irq_at_ignored, at)) return {at, {}, "the timer was masked or not set up then"};
    // Checked before deliveries: at the very end nothing is raised any more.
    if (at >= run.instructions) return {at, {}, "the run ended before it"};
    const auto delivery = std::ranges::lower_bound(run.interrupts_at, at);
    if (delivery != run.interrupts_at.end()) return {at, *delivery, ""};
    if (run.interrupts_at.size() >= deliveries_listed)
        return {at, {}, "not known: it comes after the first 65,536 interrupts, which are all that is kept"};
    return {at, {}, "interrupts stayed masked until the end"};
}

}  // namespace

std::vector<ExtraInterrupt> extra_interrupts(std::span<const std::uint64_t> irq_at, const sim::RunResult& run) {
    std::vector<ExtraInterrupt> fates;
    for (const std::uint64_t at : irq_at) fates.push_back(fate(at, run));
    return fates;
}

}  // namespace devenv
