# SPDX-License-Identifier: MIT
# /init of the Linux guest that boot times are compared with: reports the time stamp at its first instruction, then ends
# the machine by QEMU's debug-exit port, as our own kernel does.
#include <sys/syscall.h>

        .text
        .globl _start
_start: rdtsc
        shlq $32, %rdx
        orq %rdx, %rax
        leaq digits_end(%rip), %rdi
        movl $16, %ecx
1:      decq %rdi                       # sixteen digits, the last first
        movl %eax, %edx
        andl $15, %edx
        leaq hex(%rip), %rsi
        movb (%rsi,%rdx), %dl
        movb %dl, (%rdi)
        shrq $4, %rax
        decl %ecx
        jnz 1b

        movl $SYS_write, %eax
        movl $1, %edi
        leaq line(%rip), %rsi
        movl $(line_end - line), %edx
        syscall
        movl $SYS_ioperm, %eax
        movl $0xf4, %edi
        movl $4, %esi
        movl $1, %edx
        syscall
        testq %rax, %rax
        jnz 2f
        movb $0x10, %al
        outb %al, $0xf4
2:      movl $SYS_reboot, %eax          # nobody listens there: power off (Linux: LINUX_REBOOT_MAGIC1, MAGIC2, CMD_POWER_OFF)
        movl $0xfee1dead, %edi
        movl $672274793, %esi
        movl $0x4321fedc, %edx
        syscall
3:      movl $SYS_pause, %eax
        syscall
        jmp 3b

        .section .rodata
hex:    .ascii "0123456789abcdef"
        .data
line:   .ascii "linux-init tsc=0x"
digits: .space 16
digits_end:
        .ascii "\n"
line_end:
        .section .note.GNU-stack,"",@progbits
