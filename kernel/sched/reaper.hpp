// SPDX-License-Identifier: MIT
// The reaper: a kernel thread that frees what a dead thread cannot free itself, its stack and its process.
#pragma once
#include <lib/result.hpp>

namespace exo {

struct Thread;

Result<> reaper_init();
// Interrupts masked; the thread is dead and no CPU is on its stack.
void reaper_add(Thread&);
// Waits until every thread that died so far is gone: for tests and for checking that nothing leaks.
void reaper_settle();

}  // namespace exo
