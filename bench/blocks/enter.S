/* SPDX-License-Identifier: MIT */
/* Into a block and out of it again. The block may leave anything in any register, so what is needed afterwards is found
   relative to the instruction pointer, in exo_block_control. */
#include "layout.h"
    .intel_syntax noprefix
    .text

/* void exo_block_enter(): runs the code at control.body once; it ends with a jump to exo_block_leave. */
    .globl exo_block_enter
    .type exo_block_enter, @function
exo_block_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    pushfq
    lea rbx, [rip + exo_block_control]
    mov [rbx + CONTROL_STACK], rsp
    ldmxcsr [rbx + CONTROL_MXCSR]
    fninit
    cmp byte ptr [rbx + CONTROL_HAS_AVX512], 0
    je 1f
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vmovups zmm\n, [rbx + CONTROL_VECTOR]
    .endr
    .irp n, 1,2,3,4,5,6,7
    kxnorw k\n, k\n, k\n
    .endr
    vzeroupper                          /* the low halves stay; upper ones clean, as compilers leave them */
    jmp 3f
1:  cmp byte ptr [rbx + CONTROL_HAS_AVX], 0
    je 2f
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups xmm\n, [rbx + CONTROL_VECTOR]
    .endr
    vzeroupper
    jmp 3f
2:  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movups xmm\n, [rbx + CONTROL_VECTOR]
    .endr
3:  lfence
    rdtsc
    lfence
    shl rdx, 32
    or rax, rdx
    mov [rbx + CONTROL_START], rax
    mov rax, [rbx + CONTROL_REGISTERS + 0 * 8]
    mov rcx, [rbx + CONTROL_REGISTERS + 1 * 8]
    mov rdx, [rbx + CONTROL_REGISTERS + 2 * 8]
    mov rsp, [rbx + CONTROL_REGISTERS + 4 * 8]
    mov rbp, [rbx + CONTROL_REGISTERS + 5 * 8]
    mov rsi, [rbx + CONTROL_REGISTERS + 6 * 8]
    mov rdi, [rbx + CONTROL_REGISTERS + 7 * 8]
    mov r8,  [rbx + CONTROL_REGISTERS + 8 * 8]
    mov r9,  [rbx + CONTROL_REGISTERS + 9 * 8]
    mov r10, [rbx + CONTROL_REGISTERS + 10 * 8]
    mov r11, [rbx + CONTROL_REGISTERS + 11 * 8]
    mov r12, [rbx + CONTROL_REGISTERS + 12 * 8]
    mov r13, [rbx + CONTROL_REGISTERS + 13 * 8]
    mov r14, [rbx + CONTROL_REGISTERS + 14 * 8]
    mov r15, [rbx + CONTROL_REGISTERS + 15 * 8]
    mov rbx, [rbx + CONTROL_REGISTERS + 3 * 8]
    lfence
    jmp [rip + exo_block_control + CONTROL_BODY]
    .size exo_block_enter, . - exo_block_enter

/* Where the block's code jumps when it is through. */
    .globl exo_block_leave
    .type exo_block_leave, @function
exo_block_leave:
    lfence
    rdtsc
    lfence
    mov rsp, [rip + exo_block_control + CONTROL_STACK]
    shl rdx, 32
    or rax, rdx
    mov [rip + exo_block_control + CONTROL_END], rax
    lea rbx, [rip + exo_block_control]
    cmp byte ptr [rbx + CONTROL_HAS_AVX], 0
    je 1f
    vzeroupper
1:  fninit
    ldmxcsr [rbx + CONTROL_MXCSR]
    popfq                               /* direction, alignment check and trap flags too */
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
    .size exo_block_leave, . - exo_block_leave

    .section .note.GNU-stack, "", @progbits
