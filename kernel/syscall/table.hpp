// SPDX-License-Identifier: MIT
// The dense table of system calls. A process points at its table, so that another personality can have another.
#pragma once
#include <abi/syscall.hpp>
#include <core/process.hpp>
#include <hal/user.hpp>
#include <lib/result.hpp>

namespace exo {

struct SyscallEntry {
    // The result for the caller's result register. Interrupts masked; may block.
    Result<std::uint64_t> (*handler)(Process&, hal::UserFrame&);
    std::string_view name;
};

const SyscallEntry* native_syscalls();  // abi::Syscall::count entries
std::uint64_t unknown_syscalls();       // calls answered with not_implemented since boot

}  // namespace exo
