// SPDX-License-Identifier: MIT
// How long each phase of the start took, from the first instruction of the image.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace exo {

struct BootPhase {
    std::string_view name;
    std::uint64_t cycles;  // time stamp at its end
};

void boot_begin(std::uint64_t entry_cycles);
void boot_phase_done(std::string_view name);  // ends the phase that began when the one before ended
std::uint64_t boot_entry_cycles();
std::span<const BootPhase> boot_phases();

}  // namespace exo
