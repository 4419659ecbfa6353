// SPDX-License-Identifier: MIT
// The windowed switch: a context is 16 bytes, a stack pointer and a resume address. Everything live is on the stack,
// because the switch is inlined and declares every register clobbered ('register windows' in the brief; the standard
// term is a cooperative stack switch with compiler-chosen spills).
//
//   using ContextEntry = void (*)(void*);
//   Context context_make(std::span<std::byte> stack, ContextEntry, void* argument)
//                                   A context that will call entry(argument) on that stack (its top 16-byte aligned);
//                                   the entry never returns. Back-traces end there.
//   void context_switch(Context& from, const Context& to)
//                                   Parks the caller in `from`, goes on in `to`. Interrupts off, no spinlock held, no
//                                   per-CPU pointer kept across. Inlined; 4-7 core cycles warm. A full compiler
//                                   barrier, and a full memory barrier for the asymmetric wake protocol only where the
//                                   caller adds one.
//   void context_release(Context&)  Forgets a context that will never run again (sanitizer bookkeeping; else nothing).
//   inline constexpr std::size_t kernel_stack_bytes   Power of two of pages that a kernel thread's stack takes,
//                                   the guard not counted: 8 KiB on bare metal, more on the host (libc runs on it).
//   std::span<std::byte> map_kernel_stack(PhysAddr block, std::size_t pages, TableFrames&)
//                                   Makes a stack of a contiguous block of frames, with a guard page below it that
//                                   faults. Returns the usable bytes (on the host one page of the block is the guard);
//                                   empty when out of table frames. Does not flush: the addresses were never mapped.
//   void unmap_kernel_stack(std::span<std::byte>, PhysAddr block, std::size_t pages)
//                                   The reverse; the block may be given back to the frame allocator afterwards.
#pragma once
#include <hal/mmu.hpp>
#include <span>

#include <arch/context.hpp>  // last: uses the above
