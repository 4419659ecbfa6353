// SPDX-License-Identifier: MIT
// Constants that the assembler, the linker script and C++ share. C++ checks each against the structure it describes.
#pragma once

// The address space.
#define HAL_KERNEL_BASE 0xffffffff80000000  // the image is linked at this plus its physical address (mcmodel=kernel)
#define HAL_KERNEL_LOAD 0x200000            // physical address of the image
#define HAL_DIRECT_MAP 0xffff888000000000   // all RAM, no-execute
#define HAL_STACK_WINDOW 0xffffc90000000000 // kernel stacks with their guard pages
#define HAL_MMIO_WINDOW 0xffffffffc0000000  // device registers, uncached
#define HAL_CPU_AREAS 0xffffffffd0000000    // stacks and tables of the CPUs that cpu_start starts
#define HAL_SCREEN_WINDOW 0xffffffffe0000000 // the screen's memory, at most 256 MiB
#define HAL_PAGE_BYTES 4096

// Selectors, in the order SYSCALL and SYSRET want (APM2 6.1.1).
#define HAL_KERNEL_CODE 0x08
#define HAL_KERNEL_DATA 0x10
#define HAL_USER_DATA 0x1b
#define HAL_USER_CODE 0x23
#define HAL_TASK_STATE 0x28

// The boot code's own; the final table has nothing for 32-bit code.
#define HAL_BOOT_CODE32 0x18

// hal_cpu_offer: one of these, and the local APIC id that it is about in the low half.
#define HAL_CPU_OFFERED 0x100000000
#define HAL_CPU_ARRIVED 0x200000000

// hal::PerCpuHeader, reached through GS.
#define HAL_PERCPU_SELF 0
#define HAL_PERCPU_KERNEL_STACK 8
#define HAL_PERCPU_USER_STACK 16
#define HAL_PERCPU_INTERRUPT_STACK 24
#define HAL_PERCPU_INDEX 32
#define HAL_PERCPU_WORK_PENDING 36
#define HAL_PERCPU_ACTIVE_ROOT 48
#define HAL_PERCPU_BYTES 56

// hal::TrapFrame, from its lowest address up.
#define HAL_FRAME_UNUSED 0
#define HAL_FRAME_CR2 8
#define HAL_FRAME_R15 16
#define HAL_FRAME_R14 24
#define HAL_FRAME_R13 32
#define HAL_FRAME_R12 40
#define HAL_FRAME_RBX 48
#define HAL_FRAME_R11 56
#define HAL_FRAME_RCX 64
#define HAL_FRAME_RBP 72
#define HAL_FRAME_R9 80
#define HAL_FRAME_R8 88
#define HAL_FRAME_R10 96
#define HAL_FRAME_RDX 104
#define HAL_FRAME_RSI 112
#define HAL_FRAME_RDI 120
#define HAL_FRAME_RAX 128
#define HAL_FRAME_VECTOR 136
#define HAL_FRAME_ERROR 144
#define HAL_FRAME_RIP 152
#define HAL_FRAME_CS 160
#define HAL_FRAME_RFLAGS 168
#define HAL_FRAME_RSP 176
#define HAL_FRAME_SS 184
#define HAL_FRAME_BYTES 192

#define HAL_VECTOR_SYSCALL 256  // in the frame of a system call, where a trap has its vector
#define HAL_STUB_BYTES 16       // one entry stub a vector

// Interrupt stack table: which entry each vector uses.
#define HAL_IST_DOUBLE_FAULT 1
#define HAL_IST_NMI 2
#define HAL_IST_MACHINE_CHECK 3
#define HAL_IST_DEBUG 4

// How the machine was started: hal::BootPath.
#define HAL_BOOT_DIRECT 0
#define HAL_BOOT_PVH 1
#define HAL_BOOT_MULTIBOOT2 2
