// SPDX-License-Identifier: MIT
// Between the files of sched/ only.
#pragma once

namespace exo {
struct Thread;
// Numbers a thread that has its stack, and prepares its context to start in thread_main.
void thread_prepare(Thread&);
}  // namespace exo
