# SPDX-License-Identifier: MIT
# What the timing models are pinned with: small loops, each on one thing that a core is good or bad at, each run three
# times between marks of its name. timing.elf is this file, assembled once and committed: a new compiler changes nothing.
.include "board.inc"

.macro mark name, kind
990:
    .pushsection .note.exo.marks, "", @note
    .balign 4
    .4byte 4, 992f-991f, 0x4d524b31
    .asciz "exo"
991: .8byte 990b + HIGH          # where main runs
    .4byte \kind
    .asciz "\name"
992: .balign 4
    .popsection
.endm
# `body` 100 times in a loop, three times between marks.
.macro pattern name, body
    mov $3, %r12d
8:  mov $100, %r13d
    lfence
    mark "\name", 1
    nop                             # a mark is its address: the loop must not begin there
7:  \body
    dec %r13d
    jnz 7b
    mark "\name", 2
    nop
    dec %r12d
    jnz 8b
.endm

main:
    # A ring of 4,096 lines, 64 bytes apart, in a scattered order: line i leads to line 1,381 i + 7 (a full cycle, as
    # 1,381 - 1 is divisible by 4 and 7 is odd), of which the L2 holds all and the L1 few.
    xor %ecx, %ecx
1:  imul $1381, %ecx, %eax
    add $7, %eax
    and $4095, %eax
    shl $6, %eax
    lea ring(%rip), %rdx
    add %rdx, %rax
    mov %ecx, %esi
    shl $6, %esi
    mov %rax, (%rdx,%rsi)
    inc %ecx
    cmp $4096, %ecx
    jb 1b
    lea buffer(%rip), %rdi
    mov %rdi, (%rdi)
    lea ring(%rip), %rsi
    mov $1, %r9d
    mov $0x2545f491, %r10d

    pattern add_chain, "add %rcx, %rax; add %rcx, %rax; add %rcx, %rax; add %rcx, %rax"
    pattern add_wide, "add $1, %rax; add $1, %rcx; add $1, %rdx; add $1, %rbx"
    pattern multiply_chain, "imul %rax, %rax; imul %rax, %rax"
    pattern divide, "xor %edx, %edx; mov $1000, %eax; mov $7, %ecx; div %ecx"
    pattern moves_eliminated, "mov %rax, %rbx; mov %rbx, %rcx; mov %rcx, %rdx; mov %rdx, %rax"
    pattern load_chain, "mov (%rdi), %rdi; mov (%rdi), %rdi"
    pattern load_chain_l2, "mov (%rsi), %rsi; mov (%rsi), %rsi"
    pattern forward_renamed, "mov %rax, 8(%rdi); mov 8(%rdi), %rax; add $1, %rax"
    pattern forward_other_base, "lea 64(%rdi), %r8; mov %rax, 8(%rdi); mov -56(%r8), %rax; add $1, %rax"
    pattern forward_fails, "mov %eax, 8(%rdi); mov %eax, 12(%rdi); mov 8(%rdi), %rax; add $1, %rax"
    pattern store_lines, "mov %rax, 64(%rdi); mov %rax, 128(%rdi); mov %rax, 192(%rdi); mov %rax, 256(%rdi)"
    pattern push_pop, "push %rax; push %rcx; pop %rcx; pop %rax"
    pattern call_return, "call leaf; call leaf"
    pattern branch_regular, "test $3, %r13b; jz 6f; inc %rax; 6: nop"
    pattern branch_random, "imul $1664525, %r10d, %r10d; add $1013904223, %r10d; test %r10d, %r10d; js 6f; inc %rax; 6: nop"
    pattern locked_add, "lock add %r9, 512(%rdi)"
    pattern vector_add, "addps %xmm1, %xmm0; paddd %xmm2, %xmm3; mulps %xmm4, %xmm5"
    pattern store_bytes, "lea 1024(%rdi), %rdi; mov $256, %ecx; rep stosb; lea buffer(%rip), %rdi"
    pattern time_stamp, "rdtsc"
    pattern segment_base, "swapgs; swapgs"
    jmp power_off
leaf:
    ret

.bss
.balign 4096
ring: .skip 4096 * 64
buffer: .skip 4096
