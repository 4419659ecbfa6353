// SPDX-License-Identifier: MIT
// The reaper: a kernel thread that frees what a dead thread cannot free itself, its stack and its process.
#pragma once
#include <lib/result.hpp>

namespace exo {

struct Thread;

Result<> reaper_init();
// A thread of the caller's is about to end: reaper_settle waits for it from now on. Once more does nothing.
void reaper_expect(Thread&);
// Interrupts masked; the thread is dead and no CPU is on its stack. Any CPU.
void reaper_add(Thread&);
// Waits until every thread that was expected so far is gone: for tests and for checking that nothing leaks. A process
// is expected before anybody is told of its end; for another CPU's kernel thread use ThreadOptions::gone.
void reaper_settle();

}  // namespace exo
