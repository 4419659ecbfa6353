// SPDX-License-Identifier: MIT
// A simulated CPU is a Linux thread, from cpu_start until somebody powers off. Time stamps are the host's.
#pragma once
#include <arch/cpu.hpp>
#include <hal/types.hpp>
#include <string_view>

namespace hal {

struct TableFrames;
enum class Interrupt : std::uint8_t;

inline constexpr unsigned cpus_limit = 64;

unsigned cpu_count();
bool cpu_start(CpuIndex, TableFrames&);
void send_interrupt(CpuIndex, Interrupt);
inline void serve_requests() {}  // nobody walks tables here: a flush reaches no other CPU
inline std::string_view cpu_clock_report() { return {}; }

}  // namespace hal
