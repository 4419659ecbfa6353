// SPDX-License-Identifier: MIT
// The tour's kernel-thread pairs, which benchmarks use too.
#pragma once
#include <cstdint>
#include <hal/types.hpp>
#include <optional>

namespace exo {

// Two kernel threads send 64-byte messages to and fro through two Fusion Rings, blocking when there is none. On a
// kernel thread, interrupts on; the other one lives on `other`, or on the same CPU. Round trips whose message came back
// right.
std::uint64_t tour_ping_pong(std::uint64_t rounds, std::optional<hal::CpuIndex> other = std::nullopt);

}  // namespace exo
