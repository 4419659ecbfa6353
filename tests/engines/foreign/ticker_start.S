# SPDX-License-Identifier: GPL-2.0-or-later
# The ticker's way from multiboot2's 32-bit entry to C in 64-bit mode: 1 GiB identity-mapped by 2 MiB pages.
        .section .multiboot, "a"
        .balign 8
header: .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
        .balign 8
        .short 1, 0                     # information request: command line, memory map
        .long 16, 1, 6
        .balign 8
        .short 5, 1                     # framebuffer, optional
        .long 20, 800, 600, 32
        .balign 8
        .short 6, 0                     # module alignment
        .long 8
        .balign 8
        .short 0, 0
        .long 8
header_end:

        .text
        .code32
        .globl _start
_start: cli
        movl $stack_end, %esp
        pushl $0
        popfl
        movl %eax, saved_magic
        movl %ebx, saved_info
        movl $page_directory, %edi      # 512 large pages
        movl $0x83, %eax
        movl $512, %ecx
1:      movl %eax, (%edi)
        movl $0, 4(%edi)
        addl $0x200000, %eax
        addl $8, %edi
        loop 1b
        movl $page_directory + 3, pdpt
        movl $pdpt + 3, pml4
        movl $pml4, %eax
        movl %eax, %cr3
        movl %cr4, %eax
        orl $0x20, %eax
        movl %eax, %cr4
        movl $0xc0000080, %ecx
        rdmsr
        orl $0x100, %eax
        wrmsr
        movl %cr0, %eax
        orl $0x80000001, %eax
        movl %eax, %cr0
        lgdt gdt_pointer
        ljmpl $0x08, $long_mode
        .code64
long_mode:
        movw $0x10, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movl saved_magic, %edi
        movl saved_info, %esi
        call kernel_main
1:      cli
        hlt
        jmp 1b

        .globl irq0_entry
irq0_entry:
        push %rax
        push %rcx
        push %rdx
        push %rsi
        push %rdi
        push %r8
        push %r9
        push %r10
        push %r11
        cld
        call timer_interrupt
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rdi
        pop %rsi
        pop %rdx
        pop %rcx
        pop %rax
        iretq

        .section .rodata
        .balign 8
gdt:    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
        .short . - gdt - 1
        .long gdt

        .bss
        .balign 4096
pml4:   .skip 4096
pdpt:   .skip 4096
page_directory:
        .skip 4096
        .skip 16384
stack_end:
saved_magic:
        .skip 4
saved_info:
        .skip 4
        .section .note.GNU-stack, "", @progbits
