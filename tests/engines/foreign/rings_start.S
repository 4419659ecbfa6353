# SPDX-License-Identifier: GPL-2.0-or-later
# The entry of `rings` by PVH: exceptions in 32-bit protected mode first, with gates of 8 bytes, then 64-bit mode.
        .section .note.xen, "a", @note
        .balign 4
        .long 4, 4, 18
        .asciz "Xen"
        .long pvh_start

        .text
        .code32
        .globl pvh_start
pvh_start:
        cli
        cld
        movl $stack_end, %esp
        movl %ebx, start_info
        lgdt gdt_pointer
        ljmpl $0x18, $1f                # our own 32-bit code segment
1:      movw $0x10, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movl $undefined32, %eax         # gates 6 and 0x40
        movl $idt32 + 6 * 8, %edi
        call gate32
        movl $software32, %eax
        movl $idt32 + 0x40 * 8, %edi
        call gate32
        lidt idt32_pointer
        ud2
        int $0x40
        cmpl $2, seen32
        jne stop
        movl $page_directory, %edi
        movl $0x87, %eax                # large, for ring 3 too
        movl $2048, %ecx
2:      movl %eax, (%edi)
        movl $0, 4(%edi)
        addl $0x200000, %eax
        addl $8, %edi
        loop 2b
        movl $0, page_directory + 8 * 8 # 16 to 18 MiB: nothing there
        movl $page_directory + 7, pdpt
        movl $page_directory + 0x1007, pdpt + 8
        movl $page_directory + 0x2007, pdpt + 16
        movl $page_directory + 0x3007, pdpt + 24
        movl $pdpt + 7, pml4
        movl $pml4, %eax
        movl %eax, %cr3
        movl $0x620, %eax               # PAE, OSFXSR, OSXMMEXCPT
        movl %eax, %cr4
        movl $0xc0000080, %ecx
        rdmsr
        btsl $8, %eax
        wrmsr
        movl $0x80010033, %eax
        movl %eax, %cr0
        ljmpl $0x08, $long_mode
stop:   hlt
        jmp stop

gate32: movw %ax, (%edi)
        movw $0x18, 2(%edi)
        movw $0x8e00, 4(%edi)
        shrl $16, %eax
        movw %ax, 6(%edi)
        ret
undefined32:
        incl seen32
        addl $2, (%esp)                 # past ud2
        iretl
software32:
        incl seen32
        iretl

        .code64
long_mode:
        movw $0x10, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movq $stack_end, %rsp
        movl start_info, %edi
        movl seen32, %esi
        call kernel_main
1:      hlt
        jmp 1b

        # Stubs: what was pushed, then `dispatch(frame)`. frame: r11..rax, number, error code, rip, cs, flags, rsp, ss.
        .macro stub name, number, has_error=0
        .globl \name
\name:
        .if !\has_error
        push $0
        .endif
        push $\number
        jmp common
        .endm
        stub undefined_entry, 6
        stub page_fault_entry, 14, 1
        stub uart_entry, 0x24
        stub apic_timer_entry, 0x50
        stub self_entry, 0x51
        stub system_call_entry, 0x80
common: push %rax
        push %rcx
        push %rdx
        push %rsi
        push %rdi
        push %r8
        push %r9
        push %r10
        push %r11
        mov %rsp, %rdi
        call dispatch
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rdi
        pop %rsi
        pop %rdx
        pop %rcx
        pop %rax
        add $16, %rsp
        iretq

        # enter_user(rip, rsp): returns when the program calls leave_user.
        .globl enter_user
enter_user:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, kernel_rsp
        push $0x2b                      # user data
        push %rsi
        push $0x202
        push $0x33                      # user code
        push %rdi
        iretq
        .globl leave_user
leave_user:
        mov kernel_rsp, %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

        # In ring 3: says 'u', then asks to leave.
        .globl user_program
user_program:
        mov $'u', %edi
        mov $1, %eax
        int $0x80
        mov $0, %eax
        int $0x80
        ud2

        .data
        .balign 8
        .globl gdt
gdt:    .quad 0
        .quad 0x00af9a000000ffff        # 08 code
        .quad 0x00cf92000000ffff        # 10 data
        .quad 0x00cf9a000000ffff        # 18 32-bit code
        .quad 0
        .quad 0x00cff2000000ffff        # 28 user data
        .quad 0x00affa000000ffff        # 30 user code
tss_descriptor:
        .globl tss_descriptor
        .quad 0, 0                      # 38
gdt_pointer:
        .short . - gdt - 1
        .long gdt
idt32_pointer:
        .short 0x41 * 8 - 1
        .long idt32

        .bss
        .balign 4096
pml4:   .skip 4096
pdpt:   .skip 4096
page_directory:
        .skip 4 * 4096
idt32:  .skip 0x41 * 8
start_info: .skip 4
seen32: .skip 4
kernel_rsp: .skip 8
        .balign 16
        .skip 16384
        .globl stack_end
stack_end:
        .section .note.GNU-stack, "", @progbits
