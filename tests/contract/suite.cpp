// SPDX-License-Identifier: MIT
// The table of groups.
#include "check.hpp"

namespace contract {

extern const std::span<const Case> types_cases, cpu_cases, irq_cases, context_cases, mmu_cases, timer_cases, user_cases,
    smp_cases;

namespace {
constexpr const std::span<const Case>* groups[] = {&types_cases, &cpu_cases,   &irq_cases,  &context_cases,
                                                   &mmu_cases,   &timer_cases, &user_cases, &smp_cases};
}  // namespace

std::size_t case_count() {
    std::size_t count = 0;
    for (const auto* group : groups) count += group->size();
    return count;
}

Case case_at(std::size_t index) {
    for (const auto* group : groups) {
        if (index < group->size()) return (*group)[index];
        index -= group->size();
    }
    return {};
}

}  // namespace contract
