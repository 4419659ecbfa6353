// SPDX-License-Identifier: MIT
// The ways in which the program `faulter` misbehaves.
#pragma once
#include <cstdint>

namespace user {
enum class Fault : std::uint64_t {
    null_write,
    kernel_read,
    execute_data,
    privileged,
    code_write,
    port_io,
    undefined,
    vector,
    count
};
}
