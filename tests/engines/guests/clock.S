# SPDX-License-Identifier: GPL-2.0-or-later
# The timer and the guest clock. Command line: o one-shot in a spin loop, p periodic with HLT, t priority, s self-IPI.
.include "board.inc"
main:
    handle 0x40, on_timer
    handle 0x50, on_timer
    xor %r12d, %r12d
    cmp $'p', %r15d
    je periodic
    cmp $'t', %r15d
    je priority
    cmp $'s', %r15d
    je self
    sti
    timer 0x40, 100                 # 6000 ticks
1:  test %r12, %r12
    jz 1b
    mov $LAPIC, %ebx
    mov 0x390(%rbx), %eax           # expired: 0
    call hex
    jmp power_off
periodic:
    timer 0x20040, 1000             # every 60000 ticks
    rdtsc
    mov %eax, %r13d
1:  sti
    hlt
    cli
    cmp $5, %r12
    jne 1b
    rdtsc
    sub %r13d, %eax                 # 5 periods and a little
    xor %edx, %edx
    mov $60000, %ecx
    div %ecx
    call hex                        # 5
    jmp power_off
priority:
    mov $LAPIC, %ebx
    movl $0x40, 0x80(%rbx)          # TPR: class 4 and below wait
    timer 0x40, 10
    sti
    mov $10000, %ecx
1:  loop 1b
    mov %r12, %rax
    call hex                        # 0
    mov $LAPIC, %ebx
    movl $0, 0x80(%rbx)
    nop
    mov %r12, %rax
    call hex                        # 1
    jmp power_off
self:
    mov $LAPIC, %ebx
    movl $0x1ff, 0xf0(%rbx)
    sti
    movl $0x40050, 0x300(%rbx)
    nop
    mov %r12, %rax
    call hex                        # 1
    jmp power_off
on_timer:
    inc %r12
    mov $LAPIC, %ecx
    movl $0, 0xb0(%rcx)
    ret
