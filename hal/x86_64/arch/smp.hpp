// SPDX-License-Identifier: MIT
// x86-64: CPUs as the ACPI MADT lists them.
#pragma once
#include <hal/types.hpp>
#include <string_view>

namespace hal {

struct TableFrames;
enum class Interrupt : std::uint8_t;

inline constexpr unsigned cpus_limit = 1;

inline unsigned cpu_count() { return 1; }
inline bool cpu_start(CpuIndex, TableFrames&) { return false; }
inline void send_interrupt(CpuIndex, Interrupt) {}
inline void serve_requests() {}
inline std::string_view cpu_clock_report() { return {}; }

}  // namespace hal
