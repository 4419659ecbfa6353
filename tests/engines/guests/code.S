# SPDX-License-Identifier: GPL-2.0-or-later
# Code that changes, string instructions, RDRAND. Command line: m modify, s strings, r random, x one code under two CR3.
.include "board.inc"
main:
    cmp $'s', %r15d
    je strings
    cmp $'r', %r15d
    je random
    cmp $'x', %r15d
    je spaces
    # Called, changed, called again; then changed in the same straight line.
    mov $3, %ebp
    lea value+1(%rip), %rbx
1:  call value
    call hex                        # 5 6 7
    incl (%rbx)
    dec %ebp
    jnz 1b
    lea 2f+1(%rip), %rbx
    movl $9, (%rbx)
    nop
2:  mov $1, %eax
    call hex                        # 9
    # Through another virtual address of the same page.
    lea value+1(%rip), %rbx
    movabs $HIGH, %rcx
    sub %rcx, %rbx
    movl $10, (%rbx)
    call value
    call hex                        # a
    jmp power_off
strings:
    handle 14, on_page_fault
    lea source(%rip), %rsi
    lea target(%rip), %rdi
    mov $200, %ecx
    rep movsb
    lea target(%rip), %rdi
    xor %eax, %eax
    mov $-1, %rcx
    repne scasb                     # the text's length and 1
    not %rcx
    mov %rcx, %rax
    call hex                        # 1c
    mov $' ', %al
    call putc
    xor %ecx, %ecx
    rep stosb                       # nothing
    # Across a page that appears in the middle of it.
    movq $0x300003, page_table(%rip)
    mov $WINDOW + 4096 - 40, %edi
    mov $'x', %al
    mov $100, %ecx
    rep stosb
    mov $WINDOW + 4096 + 59, %eax
    movzbl (%rax), %eax
    call hex                        # 78
    std
    lea target+15(%rip), %rsi
    lea target+31(%rip), %rdi
    mov $16, %ecx
    rep movsb
    cld
    jmp power_off
on_page_fault:
    call report
    movq $0x302003, page_table+8(%rip)
    ret
random:
    rdrand %rax
    jnc 1f
    call hex
    mov $' ', %al
    call putc
    rdrand %eax
    jnc 1f
    call hex
    mov $' ', %al
    call putc
    xor %eax, %eax
    rdseed %ax
    jnc 1f
    call hex
1:  jmp power_off
spaces:                             # the page at WINDOW is another one under each CR3
    movq $0x300003, page_table(%rip)
    lea pml4(%rip), %rsi
    lea pml4b(%rip), %rdi
    mov $512, %ecx
    rep movsq
    lea pdpt_low(%rip), %rsi
    lea pdptb(%rip), %rdi
    mov $512, %ecx
    rep movsq
    lea directory(%rip), %rsi
    lea directoryb(%rip), %rdi
    mov $512, %ecx
    rep movsq
    lea page_tableb(%rip), %rax
    movabs $HIGH, %rbp
    sub %rbp, %rax
    or $7, %rax
    mov %rax, directoryb+3*8(%rip)
    movq $0x301003, page_tableb(%rip)
    lea directoryb(%rip), %rax
    sub %rbp, %rax
    or $7, %rax
    mov %rax, pdptb(%rip)
    lea pdptb(%rip), %rax
    sub %rbp, %rax
    or $7, %rax
    mov %rax, pml4b(%rip)
    movl $0x000001b8, 0x300000      # mov $1, %eax; ret
    movl $0x0000c300, 0x300004
    movl $0x000002b8, 0x301000
    movl $0x0000c300, 0x301004
    mov $4, %r14d
    mov $WINDOW, %ebx
    mov %cr3, %r12
    lea pml4b(%rip), %r13
    sub %rbp, %r13
2:  call *%rbx
    call hex                        # 1 2 1 2
    xchg %r12, %r13
    mov %r12, %cr3
    dec %r14d
    jnz 2b
    jmp power_off
.balign 4096
value:
    mov $5, %eax
    ret
.section .rodata
source: .asciz "twenty-seven bytes of text."
    .skip 200
.bss
target: .skip 256
.balign 4096
pml4b: .skip 4096
pdptb: .skip 4096
directoryb: .skip 4096
page_tableb: .skip 4096
.text
