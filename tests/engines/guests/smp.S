# SPDX-License-Identifier: GPL-2.0-or-later
# Several CPUs. Command line: s started again and again, p interrupts to and fro, l locked operations and a spinlock,
# c code that another CPU rewrites through an alias, t mappings changed under another CPU, q time stamps compared,
# o order of arrival, h all halted, b the boot CPU sends itself INIT.
.include "board.inc"
.set TRAMPOLINE, 0x8000
.set INIT_OTHERS, 0x000c4500
.set START_OTHERS, 0x000c4600 | (TRAMPOLINE >> 12)
.set FIXED_OTHERS, 0x000c0000
main:
    mov $LAPIC, %ebx
    movl $0x1ff, 0xf0(%rbx)
    lea trampoline(%rip), %rsi
    mov $TRAMPOLINE, %edi
    mov $trampoline_end - trampoline, %ecx
    rep movsb
    mov %cr3, %rax
    mov %eax, TRAMPOLINE + (root - trampoline)
    handle 0x60, on_ping
    handle 0x61, on_pong
    handle 0x62, on_shootdown
    cmp $'s', %r15d
    je starts
    cmp $'b', %r15d
    je boot_init
    lea work(%rip), %rsi            # of the others, by letter
1:  lodsq
    mov %rax, %rcx
    lodsq
    mov %rax, %rdx
    lodsq
    cmp %r15, %rcx
    jne 1b
    mov %rdx, job(%rip)
    push %rax
    jmp start_others                # which returns into the boot CPU's own part

# Others are started once; each says that it is there.
start_others:
    mov $LAPIC, %ebx
    movl $INIT_OTHERS, 0x300(%rbx)
    movl $START_OTHERS, 0x300(%rbx)
    movl $START_OTHERS, 0x300(%rbx) # the second one finds them running
1:  pause
    cmpl $3, arrived(%rip)
    jne 1b
    ret

starts:
    lea count_and_halt(%rip), %rax
    mov %rax, job(%rip)
    mov $334, %r12d
1:  movl $0, arrived(%rip)
    call start_others
    dec %r12d
    jnz 1b
    mov total(%rip), %rax
    call hex                        # 1002
    jmp power_off
count_and_halt:
    lock incq total(%rip)
    lock incl arrived(%rip)
1:  hlt
    jmp 1b

boot_init:
    mov $LAPIC, %ebx
    movl $0, 0x310(%rbx)
    movl $0x4500, 0x300(%rbx)
    hlt

# Each in turn: vector 0x60 to CPU 1, which answers with 0x61.
ping:
    mov $100, %r12d
    mov $LAPIC, %ebx
1:  mov pongs(%rip), %r13
    inc %r13
    movl $1 << 24, 0x310(%rbx)
    movl $0x60, 0x300(%rbx)
2:  cli
    cmp pongs(%rip), %r13
    je 3f
    sti
    hlt
    jmp 2b
3:  sti
    dec %r12d
    jnz 1b
    mov total(%rip), %rax
    call hex                        # 64
    jmp power_off
on_ping:
    lock incq total(%rip)
    mov $LAPIC, %ecx
    movl $0, 0x310(%rcx)
    movl $0x61, 0x300(%rcx)
    movl $0, 0xb0(%rcx)
    ret
on_pong:
    incq pongs(%rip)
    mov $LAPIC, %ecx
    movl $0, 0xb0(%rcx)
    ret
wait_for_pings:
    lock incl arrived(%rip)
1:  sti
    hlt
    jmp 1b

# All four: 500 times a locked increment, exchange-and-add, compare-and-swap loops (8 and 16 bytes), and an addition
# that only a lock makes right.
contend:
    call contend_here
1:  pause
    cmpl $4, done(%rip)
    jne 1b
    mov total(%rip), %rax
    call hex                        # 7d0 each
    mov $' ', %al
    call putc
    mov added(%rip), %rax
    call hex
    mov $' ', %al
    call putc
    mov swapped(%rip), %rax
    call hex
    mov $' ', %al
    call putc
    mov wide(%rip), %rax
    call hex
    mov $' ', %al
    call putc
    mov guarded(%rip), %rax
    call hex
    jmp power_off
contend_other:
    lock incl arrived(%rip)
    call contend_here
1:  hlt
    jmp 1b
contend_here:
    mov $500, %r12d
1:  lock incq total(%rip)
    mov $1, %eax
    lock xadd %rax, added(%rip)
    mov swapped(%rip), %rax
2:  lea 1(%rax), %rcx
    lock cmpxchg %rcx, swapped(%rip)
    jnz 2b
    mov wide(%rip), %rax
    mov wide+8(%rip), %rdx
3:  lea 1(%rax), %rbx
    lea 1(%rdx), %rcx
    lock cmpxchg16b wide(%rip)
    jnz 3b
    call lock_it
    mov guarded(%rip), %rax
    inc %rax
    mov %rax, guarded(%rip)
    movl $0, lock(%rip)
    dec %r12d
    jnz 1b
    lock incl done(%rip)
    ret
lock_it:
    mov $1, %eax
    xchg %eax, lock(%rip)
    test %eax, %eax
    jz 2f
1:  pause
    cmpl $0, lock(%rip)
    jne 1b
    jmp lock_it
2:  ret

# CPUs call `constant` and say what it returned; the boot CPU rewrites it through its identity mapping.
rewrite:
    mov $1, %r12d
    lea constant+1, %rdi            # low address: an alias
1:  mov %r12d, (%rdi)
    movl $0, done(%rip)
    mov %r12d, round(%rip)          # go
2:  pause
    cmpl $3, done(%rip)
    jne 2b
    inc %r12d
    cmp $100, %r12d
    jne 1b
    mov total(%rip), %rax
    call hex                        # wrong answers: 0
    jmp power_off
rewritten:
    lock incl arrived(%rip)
    xor %r12d, %r12d
1:  pause
    cmp round(%rip), %r12d
    je 1b
    mov round(%rip), %r12d
    call constant
    cmp %r12d, %eax
    je 2f
    lock incq total(%rip)
2:  lock incl done(%rip)
    jmp 1b
.balign 64
constant:
    mov $0, %eax
    ret

# WINDOW is mapped to one frame and another; others read it, and forget the translation when told.
shoot:
    mov $100, %r12d
    mov $LAPIC, %ebx
1:  mov %r12d, %eax
    and $1, %eax
    shl $12, %eax
    add $0x300000, %eax
    mov %r12, (%rax)                # what is to be read
    or $3, %rax
    mov %rax, page_table(%rip)
    invlpg WINDOW
    movl $0, done(%rip)
    movl $FIXED_OTHERS | 0x62, 0x300(%rbx)
2:  pause
    cmpl $3, done(%rip)
    jne 2b
    dec %r12d
    jnz 1b
    mov total(%rip), %rax
    call hex                        # stale reads: 0
    jmp power_off
on_shootdown:
    invlpg WINDOW
    mov $LAPIC, %ecx
    movl $0, 0xb0(%rcx)
    mov page_table(%rip), %rax
    and $~0xfff, %rax
    mov (%rax), %rdx                # by its physical address
    cmp WINDOW, %rdx
    je 1f
    lock incq total(%rip)
1:  lock incl done(%rip)
    ret
shot:
    movq $0x300003, page_table(%rip)
    lock incl arrived(%rip)
    sti
1:  mov WINDOW, %rax                # keeps it in the TLB
    pause
    jmp 1b

# Under a lock, no CPU reads a time stamp that is smaller than the last one.
compare:
    call compare_here
1:  pause
    cmpl $4, done(%rip)
    jne 1b
    mov total(%rip), %rax
    call hex                        # 0
    jmp power_off
compare_other:
    lock incl arrived(%rip)
    call compare_here
1:  hlt
    jmp 1b
compare_here:
    mov $200, %r12d
1:  call lock_it
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    cmp newest(%rip), %rax
    jae 2f
    incq total(%rip)
2:  mov %rax, newest(%rip)
    movl $0, lock(%rip)
    dec %r12d
    jnz 1b
    lock incl done(%rip)
    ret

# A digest of who took the lock when.
order:
    call order_here
1:  pause
    cmpl $4, done(%rip)
    jne 1b
    mov newest(%rip), %rax
    call hex
    jmp power_off
order_other:
    lock incl arrived(%rip)
    call order_here
1:  hlt
    jmp 1b
order_here:
    mov $100, %r12d
    mov $LAPIC, %ecx
1:  call lock_it
    mov newest(%rip), %rax
    imul $0x01000193, %rax
    mov 0x20(%rcx), %edx
    shr $24, %edx
    inc %edx
    add %rdx, %rax
    mov %rax, newest(%rip)
    movl $0, lock(%rip)
    dec %r12d
    jnz 1b
    lock incl done(%rip)
    ret

halted:
    cli
    hlt
halted_other:
    lock incl arrived(%rip)
    sti
    hlt

# In real mode at TRAMPOLINE, CS:0. Into 64-bit mode with the boot CPU's tables, a stack, and to the job at hand.
.code16
trampoline:
    cli
    xor %ax, %ax
    mov %ax, %ds
    lgdtl TRAMPOLINE + (table - trampoline)
    mov $0x6a0, %eax
    mov %eax, %cr4
    mov TRAMPOLINE + (root - trampoline), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x901, %eax
    wrmsr
    mov $0x80010033, %eax
    mov %eax, %cr0
    ljmpl $KCODE, $TRAMPOLINE + (wide_mode - trampoline)
.balign 8
root: .long 0
table: .word 0x3f
    .long gdt
.code64
wide_mode:
    mov $KDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    movabs $1f + HIGH, %rax
    jmp *%rax
trampoline_end:
1:  lidt idt_pointer(%rip)
    mov $LAPIC, %ebx
    movl $0x1ff, 0xf0(%rbx)
    mov 0x20(%rbx), %eax            # APIC id
    shr $24, %eax
    shl $12, %eax
    lea stacks(%rip), %rsp
    add %rax, %rsp
    jmp *job(%rip)

.section .rodata
.balign 8
work:
    .quad 'p', wait_for_pings + HIGH, ping + HIGH
    .quad 'l', contend_other + HIGH, contend + HIGH
    .quad 'c', rewritten + HIGH, rewrite + HIGH
    .quad 't', shot + HIGH, shoot + HIGH
    .quad 'q', compare_other + HIGH, compare + HIGH
    .quad 'o', order_other + HIGH, order + HIGH
    .quad 'h', halted_other + HIGH, halted + HIGH
.bss
.balign 64
job: .skip 64
arrived: .skip 64
done: .skip 64
total: .skip 64
added: .skip 64
swapped: .skip 64
wide: .skip 64
guarded: .skip 64
lock: .skip 64
round: .skip 64
pongs: .skip 64
newest: .skip 64
.balign 4096
stacks: .skip 16*4096
