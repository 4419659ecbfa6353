/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The classic loops: what exo-dev validate times on this CPU and feeds to the model, the very same bytes. Each is a
   function (memory, bytes, parameter, count) of the C calling convention that neither calls nor knows its address. */
    .intel_syntax noprefix
    .text

#define LOOP(name) \
    .p2align 6; .globl exo_loop_##name; .type exo_loop_##name, @function; exo_loop_##name:

    .p2align 12                     /* all in one page */
    .globl exo_loops_begin
exo_loops_begin:

LOOP(chase)                         /* each load's address is what the one before it loaded */
    mov rax, rdi
1:  mov rax, [rax]
    dec rcx
    jnz 1b
    ret

LOOP(walk)                          /* loads at a stride (parameter) that do not wait for each other; bytes: 2^n */
    xor eax, eax
    xor r8d, r8d
    dec rsi
1:  add rax, [rdi + r8]
    add r8, rdx
    and r8, rsi
    dec rcx
    jnz 1b
    ret

LOOP(copy_vector)                   /* from memory + parameter to memory, 64 bytes at a time, count times */
1:  xor r8d, r8d
    lea r9, [rdi + rdx]
2:  movups xmm0, [r9 + r8]
    movups xmm1, [r9 + r8 + 16]
    movups xmm2, [r9 + r8 + 32]
    movups xmm3, [r9 + r8 + 48]
    movups [rdi + r8], xmm0
    movups [rdi + r8 + 16], xmm1
    movups [rdi + r8 + 32], xmm2
    movups [rdi + r8 + 48], xmm3
    add r8, 64
    cmp r8, rsi
    jb 2b
    dec rcx
    jnz 1b
    ret

LOOP(copy_rep)                      /* the same by a string instruction */
    mov r8, rdi
    mov r9, rsi
    mov r10, rcx
1:  mov rdi, r8
    lea rsi, [r8 + rdx]
    mov rcx, r9
    rep movsb
    dec r10
    jnz 1b
    ret

LOOP(fill_rep)
    mov r8, rdi
    mov r10, rcx
1:  mov rdi, r8
    mov rcx, rsi
    mov eax, 1
    rep stosb
    dec r10
    jnz 1b
    ret

LOOP(fill_vector)
1:  xor r8d, r8d
2:  movups [rdi + r8], xmm0
    movups [rdi + r8 + 16], xmm0
    movups [rdi + r8 + 32], xmm0
    movups [rdi + r8 + 48], xmm0
    add r8, 64
    cmp r8, rsi
    jb 2b
    dec rcx
    jnz 1b
    ret

LOOP(fill_nontemporal)
1:  xor r8d, r8d
2:  movntps [rdi + r8], xmm0
    movntps [rdi + r8 + 16], xmm0
    movntps [rdi + r8 + 32], xmm0
    movntps [rdi + r8 + 48], xmm0
    add r8, 64
    cmp r8, rsi
    jb 2b
    sfence
    dec rcx
    jnz 1b
    ret

LOOP(branches)                      /* a branch on each byte of memory; bytes: 2^n */
    xor eax, eax
    xor r8d, r8d
    dec rsi
1:  movzx r9d, byte ptr [rdi + r8]
    inc r8
    and r8, rsi
    test r9b, 1
    jz 2f
    add rax, 3
2:  dec rcx
    jnz 1b
    ret

LOOP(forward)                       /* through memory, by another register than the store's */
    lea rdx, [rdi + 64]
    xor eax, eax
1:  mov [rdi], rax
    mov rax, [rdx - 64]
    add rax, 1
    dec rcx
    jnz 1b
    ret

LOOP(forward_failed)                /* two stores that one load wants together */
    xor eax, eax
1:  mov [rdi], eax
    mov [rdi + 4], eax
    mov rax, [rdi]
    add rax, 1
    dec rcx
    jnz 1b
    ret

LOOP(crossing_loads)                /* each over the end of a line */
1:  mov rax, [rdi + 60]
    mov rdx, [rdi + 124]
    mov r8, [rdi + 188]
    mov r9, [rdi + 252]
    dec rcx
    jnz 1b
    ret

LOOP(crossing_stores)
1:  mov [rdi + 60], rax
    mov [rdi + 124], rax
    dec rcx
    jnz 1b
    ret

LOOP(flush)                         /* a line written, flushed, and read again */
    mov rdx, rdi
    mov rax, rdi
1:  mov [rax], rax
    clflush [rax]
    mfence
    mov rax, [rdx]                  /* not by the store's name, which the renamer would know */
    dec rcx
    jnz 1b
    ret

LOOP(calls)                         /* a function called and left again */
1:  call 2f
    dec rcx
    jnz 1b
    ret
    .p2align 6
2:  add rax, 1
    ret

LOOP(switches)                      /* from thread to thread in a ring: registers onto the stack, the next one's stack */
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov r8, rsp
    lea rsp, [rdi + 64]
1:  push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov rax, [rsp + 48]             /* where the next one's stack stands */
    lea rsp, [rax - 48]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    dec rcx
    jnz 1b
    mov rsp, r8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

    .globl exo_loops_end
exo_loops_end:
    .section .note.GNU-stack, "", @progbits
