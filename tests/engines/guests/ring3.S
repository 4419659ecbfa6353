# SPDX-License-Identifier: GPL-2.0-or-later
# Ring 3: SYSRET, SYSCALL, and everything that ring 3 must not do. Each attempt prints " vector:error"; the program
# then goes on at its next step, whose address it keeps in r12.
.include "board.inc"
main:
    mov $0xc0000081, %ecx           # STAR
    xor %eax, %eax
    mov $0x00180008 | 3 << 16, %edx
    wrmsr
    mov $0xc0000082, %ecx           # LSTAR
    lea on_syscall(%rip), %rax
    mov %rax, %rdx
    shr $32, %rdx
    wrmsr
    mov $0xc0000084, %ecx           # FMASK: IF, DF
    mov $0x600, %eax
    xor %edx, %edx
    wrmsr
    lea handlers(%rip), %rdi
    lea on_fault(%rip), %rax
    mov $32, %ecx
    rep stosq
    handle 0x80, on_int80
    gate 0x80, 0xee00               # ring 3 may use it
    cmp $'e', %r15d
    jne 1f
    mov $0xc0000080, %ecx           # without EFER.SCE
    rdmsr
    and $~1, %eax
    wrmsr
    mov $0x202, %r11d               # and so without SYSRET
    push $UDATA
    push $0x5ff000
    push %r11
    push $UCODE
    push $user_start
    iretq
1:  mov $user_start, %ecx
    mov $0x202, %r11d
    mov $0x5ff000, %esp
    sysretq

on_syscall:
    cmp $1, %eax
    je 1f
    xchg %rsp, %r14                 # the program left r14 free
    lea stack_top(%rip), %rsp
    mov %cs, %rax
    and $3, %eax
    call hex                        # 0: privilege
    mov $'/', %al
    call putc
    mov %r11, %rax
    and $0x600, %eax
    call hex                        # 600: the program's IF and DF
    mov $'/', %al
    call putc
    pushf
    pop %rax
    and $0x600, %eax
    call hex                        # 0: masked
    mov %r14, %rsp
    mov %r13, %rcx
    mov $0x202, %r11d
    sysretq
1:  lea stack_top(%rip), %rsp
    jmp power_off
on_fault:
    call report
    mov %r12, F_RIP(%rdi)
    ret
on_int80:
    cmpq $99, 64(%rdi)              # rax
    je power_off
    mov F_CS(%rdi), %rax
    push %rdi
    call hex
    pop %rdi
    ret

.macro attempt code:vararg
    mov $1f, %r12d
    \code
1:
.endm
.section .user, "awx"
user_start:
    cmp $'e', %r15d
    jne 3f
    attempt syscall                 # EFER.SCE clear: #UD
    int $0x80
    mov $99, %eax
    int $0x80
3:  mov $1f, %r13d
    std
    syscall
1:  int $0x80                       # 2b
    attempt out %al, $0x80
    attempt in $0x60, %al
    attempt hlt
    attempt cli
    attempt mov %cr3, %rax
    attempt rdmsr
    attempt lgdt 0x400000
    attempt invlpg 0x400000
    attempt ud2
    attempt int3                    # gate of privilege 0: #GP(vector 3)
    attempt int $0x20               # the same
    attempt mov %rax, 0x100000      # supervisor page, write: 7
    attempt mov 0x600000, %rax      # not present, read: 4
    mov $1f, %r12d
    mov $0x100000, %eax
    jmp *%rax                       # supervisor page, fetch: 15
1:  mov $1f, %r12d
    xor %ecx, %ecx
    div %ecx
1:  attempt vaddps %ymm0, %ymm1, %ymm2
    attempt .byte 0x0f, 0xff
    mov $1f, %r12d
    movabs $0x0000800000000000, %rax
    mov (%rax), %rax                # not canonical
1:  mov $1, %eax
    syscall
    .text
