// SPDX-License-Identifier: MIT
// x86-64: CPUs as the ACPI MADT lists them, started by INIT-SIPI, asked by inter-processor interrupts.
#pragma once
#include <hal/types.hpp>
#include <string_view>

namespace hal {

struct TableFrames;
enum class Interrupt : std::uint8_t;

inline constexpr unsigned cpus_limit = 16;

unsigned cpu_count();
bool cpu_start(CpuIndex, TableFrames&);
void send_interrupt(CpuIndex, Interrupt);
void serve_requests();
std::string_view cpu_clock_report();

}  // namespace hal
