# SPDX-License-Identifier: GPL-2.0-or-later
# Paging: higher half, virtual addresses that are not physical ones, remapping, page faults with their error codes.
.include "board.inc"
main:
    lea main(%rip), %rax
    shr $32, %rax
    call hex                        # ffffffff
    handle 14, on_page_fault
    # Two windows on one frame.
    movq $0x300003, page_table(%rip)
    movq $0x300003, page_table+8(%rip)
    mov $WINDOW, %ebx
    movq $0x1234, 8(%rbx)
    say " alias "
    mov 4096+8(%rbx), %rax
    call hex                        # 1234
    # Another frame at the same place.
    movq $0x301003, page_table+8(%rip)
    invlpg 4096(%rbx)
    movq $0x77, 4096+8(%rbx)
    say " remapped "
    mov 0x301008, %rax
    call hex                        # 77
    # An access across the two pages, which are not neighbours in RAM.
    movabs $0x1122334455667788, %rax
    mov %rax, 4096-4(%rbx)
    mov 0x300ffc, %eax
    say " across "
    mov 0x300ffc, %eax
    call hex                        # 55667788
    mov $'.', %al
    call putc
    mov 0x301000, %eax
    call hex                        # 11223344
    say " faults"
    lea 1f(%rip), %r12
    mov 8192(%rbx), %rax            # not present, read: 0
1:  lea 2f(%rip), %r12
    mov %rax, 8192+5(%rbx)          # not present, write: 2
2:  movq $0x300001, page_table+16(%rip)
    lea 3f(%rip), %r12
    movl $1, 8192(%rbx)             # read-only, write: 3
3:  movabs $0x8000000000300003, %rax
    mov %rax, page_table+24(%rip)
    lea 4f(%rip), %r12
    lea 12288(%rbx), %rax
    jmp *%rax                       # no-execute: 11
4:  lea 5f(%rip), %r12
    movabs $0xffff800000000000, %rax
    mov (%rax), %rcx                # top level not present: 0
5:  jmp power_off
on_page_fault:
    call report
    mov %r12, F_RIP(%rdi)
    ret
