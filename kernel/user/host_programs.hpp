// SPDX-License-Identifier: MIT
#pragma once

namespace user {
// Makes every program known to hal::linked_program. Once, before the kernel starts in a Linux process.
void register_host_programs();
}  // namespace user
