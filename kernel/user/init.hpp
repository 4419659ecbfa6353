// SPDX-License-Identifier: MIT
// What the program `init` is asked to do: its argument is a task and a count.
#pragma once
#include <cstdint>

namespace user {
enum class InitTask : std::uint64_t { call_and_reply, shared_ring };
constexpr std::uint64_t init_argument(InitTask task, std::uint64_t count) {
    return static_cast<std::uint64_t>(task) << 32 | count;
}
}  // namespace user
