// SPDX-License-Identifier: MIT
// Where the timed transitions of probe_cases.cpp lead: the shortest handlers that come back.
#include <arch/layout.h>

        .section .text.entry, "ax"

// Interrupt gate: back by IRETQ.
        .globl probe_iret
probe_iret:
        iretq

// Interrupt gate, from ring 0: back by a jump, so that the entry is timed without IRETQ.
        .globl probe_drop
probe_drop:
        mov     (%rsp), %rax                // return address
        mov     24(%rsp), %rsp              // the stack as it was
        jmp     *%rax

// The same for #UD by UD2, which is two bytes and not passed by itself.
        .globl probe_drop_ud2
probe_drop_ud2:
        mov     (%rsp), %rax
        mov     24(%rsp), %rsp
        add     $2, %rax
        jmp     *%rax

// SYSCALL from ring 0: straight back.
        .globl probe_syscall
probe_syscall:
        jmp     *%rcx

// probe_visit_by_sysret(entry, times): goes to ring 3 at `entry` and back by SYSCALL, so many times, by
// SYSRET. LSTAR points to probe_back_from_sysret; ring 3 keeps its registers. No stack is used on the way.
        .globl probe_visit_by_sysret, probe_back_from_sysret
probe_visit_by_sysret:
        push    %rbx
        mov     %rdi, %r8
        mov     %rsi, %r9
        mov     $2, %r11d                   // RFLAGS of ring 3: interrupts off
probe_back_from_sysret:
        dec     %r9
        js      1f
        mov     %r8, %rcx
        sysretq
1:      pop     %rbx
        ret

// The same by IRETQ.
        .globl probe_visit_by_iret, probe_back_from_iret
probe_visit_by_iret:
        push    %rbx
        mov     %rdi, %r8
        mov     %rsi, %r9
        mov     %rsp, %rbx
probe_back_from_iret:
        dec     %r9
        js      1f
        push    $HAL_USER_DATA
        push    %rbx
        push    $2
        push    $HAL_USER_CODE
        push    %r8
        iretq
1:      pop     %rbx
        ret
