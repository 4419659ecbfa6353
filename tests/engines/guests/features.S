# SPDX-License-Identifier: GPL-2.0-or-later
# What CPUID announces must be enforced. Prints CPUID's word, then what each attempt raised.
.include "board.inc"
.macro attempt code:vararg
    lea 1f(%rip), %r12
    \code
1:
.endm
.macro set_cr4 bit
    mov %cr4, %rax
    bts $\bit, %rax
    mov %rax, %cr4
.endm
main:
    lea handlers(%rip), %rdi
    lea on_fault(%rip), %rax
    mov $32, %ecx
    rep stosq
    handle 0x80, on_int80
    gate 0x80, 0xee00
    # SMEP, SMAP (ebx 7 and 20), UMIP (ecx 2)
    mov $7, %eax
    xor %ecx, %ecx
    cpuid
    mov %ebx, %eax
    and $0x100080, %eax
    mov %ecx, %r9d
    call hex
    mov $'/', %al
    call putc
    mov %r9d, %eax
    and $4, %eax
    call hex
    say " smep"
    set_cr4 20
    mov $0x400000, %eax
    attempt jmp *%rax               # 11
    say " smap"
    set_cr4 21
    attempt mov 0x400000, %rax      # 1
    stac
    attempt mov 0x400000, %rax      # nothing
    clac
    say " ts"
    mov %cr0, %rax
    bts $3, %rax
    mov %rax, %cr0
    attempt movaps %xmm0, %xmm1     # 7
    attempt fld1                    # 7
    clts
    say " reserved"
    mov %cr4, %rax
    bts $11, %rax                   # UMIP, not announced
    attempt mov %rax, %cr4          # d
    mov %cr4, %rax
    bts $63, %rax
    attempt mov %rax, %cr4          # d
    mov %cr4, %rax
    btr $5, %rax                    # PAE
    attempt mov %rax, %cr4          # d
    mov %cr0, %rax
    btr $31, %rax                   # PG
    attempt mov %rax, %cr0          # d
    mov %cr0, %rax
    bts $40, %rax
    attempt mov %rax, %cr0          # d
    mov $0xc0000080, %ecx
    rdmsr
    bts $20, %eax
    attempt wrmsr                   # d
    rdmsr
    btr $8, %eax                    # LME
    attempt wrmsr                   # d
    rdmsr
    attempt wrmsr                   # nothing
    mov %cr0, %rax
    attempt mov %rax, %cr0          # nothing
    mov %cr4, %rax
    attempt mov %rax, %cr4          # nothing
    say " step"
    lea 1f(%rip), %r12
    pushf
    orl $0x100, (%rsp)
    popf
    nop                             # 1, after it
1:  say " cpl3"
    set_cr4 2                       # TSD
    push $UDATA
    push $0x5ff000
    push $0x2
    push $UCODE
    push $user_start
    iretq
on_fault:
    call report
    cmpq $1, F_VECTOR(%rdi)
    jne 1f
    andl $~0x100, 104(%rdi)         # no more steps
    push %rdi
    mov F_RIP(%rdi), %rax
    sub %r12, %rax
    call hex                        # 0: the trap comes after NOP
    pop %rdi
1:  mov %r12, F_RIP(%rdi)
    ret
on_int80:
    jmp power_off
.macro attempt3 code:vararg
    mov $1f, %r12d
    \code
1:
.endm
.section .user, "awx"
user_start:
    attempt3 rdtsc                  # d
    attempt3 rdtscp                 # d
    attempt3 swapgs                 # d
    attempt3 wbinvd                 # d
    attempt3 mov %rax, %dr7         # d
    attempt3 xsetbv                 # d
    attempt3 sysretq                # d
    attempt3 monitor                # 6
    attempt3 mwait                  # 6
    attempt3 cpuid                  # nothing
    int $0x80
    .text
