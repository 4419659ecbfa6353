// SPDX-License-Identifier: MIT
#include <core/assert.hpp>
#include <core/boot_phases.hpp>
#include <hal/cpu.hpp>

namespace exo {

namespace {
constexpr std::size_t phases_limit = 16;
constinit BootPhase phases[phases_limit]{};
constinit std::size_t phase_count = 0;
constinit std::uint64_t entry = 0;
}  // namespace

void boot_begin(std::uint64_t entry_cycles) {
    entry = entry_cycles;
    phase_count = 0;
}
void boot_phase_done(std::string_view name) {
    EXO_ASSERT(phase_count < phases_limit);
    phases[phase_count++] = BootPhase{name, hal::cycles()};
}
std::uint64_t boot_entry_cycles() { return entry; }
std::span<const BootPhase> boot_phases() { return {phases, phase_count}; }

}  // namespace exo
