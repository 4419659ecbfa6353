// SPDX-License-Identifier: MIT
// Loads a ring-3 program: static ELF64 x86-64, every segment mapped with exactly its rights, never both writable and
// executable. The file is not trusted: every offset and size is checked.
#pragma once
#include <hal/types.hpp>
#include <lib/result.hpp>
#include <mem/address_space.hpp>
#include <mem/vm_object.hpp>
#include <span>

namespace exo {

// The entry address. bad_argument if the file is damaged or not of that kind, no_memory. On an error the space may hold
// some of the segments: destroy it.
Result<hal::VirtAddr> load_elf(std::span<const std::byte> file, AddressSpace&, Quota&);

}  // namespace exo
