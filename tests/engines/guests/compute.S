# SPDX-License-Identifier: GPL-2.0-or-later
# A computation that an interrupt may hit anywhere, with results that show any disturbance. The timer is programmed to
# fire far in the future; tests bring interrupts in at chosen instructions.
.include "board.inc"
main:
    handle 0x40, on_timer
    timer 0x40, 0x7fffffff
    mov $1, %r14d
    xor %r13d, %r13d
    sti
    mov $16, %ebp
again:
    # flags across instructions, memory, the stack, a string instruction, STI shadows
    add %r14, %r13
    adc $0x1234567, %r14
    push %r13
    rol $7, %r14
    pushf
    pop %rax
    and $0x8d5, %eax
    add %rax, %r13
    pop %rax
    xor %rax, %r14
    lea buffer(%rip), %rdi
    mov $9, %ecx
    mov %r14, %rax
    rep stosb
    lea buffer(%rip), %rsi
    lea buffer+16(%rip), %rdi
    mov $9, %ecx
    rep movsb
    add buffer+17(%rip), %r13
    cli
    imul $77, %r13, %r13
    sti
    call leaf
    dec %ebp
    jnz again
    cli
    mov %r13, %rax
    call hex
    mov $' ', %al
    call putc
    mov %r14, %rax
    call hex
    jmp power_off
leaf:
    lea 3(%r13,%r14,2), %r13
    ret
on_timer:
    mov $LAPIC, %ecx
    movl $0, 0xb0(%rcx)
    ret
.bss
buffer: .skip 64
