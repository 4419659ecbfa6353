# SPDX-License-Identifier: GPL-2.0-or-later
# The guest of benchmark.hpp, as bytes in this library, loaded at 1 MiB: entered there in 64-bit mode without paging, or
# (in QEMU) by PVH in 32-bit mode. Everything in it is relative to RIP or an address of its own memory map:
#   0..2 MiB this code, 2..4 MiB page tables, 4..6 MiB data and stack; the last two are not executable.
.set LOAD, 0x100000
.set TABLES, 0x200000
.set DATA, 0x400000
.set STACK, 0x500000
.set LARGE, 0x83                        # page-directory entry: present, writable, 2 MiB

.section .rodata
.globl exo_benchmark_guest, exo_benchmark_guest_pvh, exo_benchmark_guest_iterations, exo_benchmark_guest_end
.balign 16
exo_benchmark_guest:
    mov $TABLES, %edi
    movq $TABLES + 0x1003, (%rdi)       # PML4 -> page-directory pointers
    movq $TABLES + 0x2003, 0x1000(%rdi) # -> page directory
    movq $LARGE, 0x2000(%rdi)
    mov $TABLES + LARGE, %eax
    bts $63, %rax                       # no execution
    mov %rax, 0x2008(%rdi)
    add $0x200000, %rax
    mov %rax, 0x2010(%rdi)
    mov $0x20, %eax                     # PAE
    mov %rax, %cr4
    mov $0xc0000080, %ecx               # EFER
    rdmsr
    or $0x900, %eax                     # LME, NXE
    wrmsr
    mov %rdi, %cr3
    mov $0x80010033, %eax               # PG, WP, NE, ET, MP, PE
    mov %rax, %cr0
paged:
    mov $DATA, %ebx
    mov $STACK, %esp
    mov exo_benchmark_guest_iterations(%rip), %r12
1:  mov (%rbx), %rax
    add %r12, %rax
    mov %rax, 8(%rbx)
    mov %r12d, %ecx
    and $0xff8, %ecx
    mov 0x1000(%rbx,%rcx), %rdx
    lea 3(%rdx,%rax,2), %rdx
    mov %rdx, 0x1000(%rbx,%rcx)
    xor %rdx, %rsi
    push %rsi
    call 4f
    pop %rsi
    add 8(%rbx), %rsi
    shr $3, %rdx
    test $1, %dl
    jz 2f
    inc %r8
2:  mov %rsi, (%rbx)
    dec %r12
    jnz 1b
    mov $0x10, %al                      # power off, successfully
    out %al, $0xf4
3:  hlt
    jmp 3b
4:  imul $77, %rsi, %rsi
    ret

.code32
exo_benchmark_guest_pvh:                # the same tables, then by way of compatibility mode to the same loop
    mov $TABLES, %edi
    movl $TABLES + 0x1003, (%edi)
    movl $TABLES + 0x2003, 0x1000(%edi)
    movl $LARGE, 0x2000(%edi)
    mov $0x80000000, %eax               # no execution
    movl $TABLES + LARGE, 0x2008(%edi)
    mov %eax, 0x200c(%edi)
    movl $TABLES + 0x200000 + LARGE, 0x2010(%edi)
    mov %eax, 0x2014(%edi)
    mov $0x20, %eax                     # PAE
    mov %eax, %cr4
    mov $0xc0000080, %ecx               # EFER
    rdmsr
    or $0x900, %eax                     # LME, NXE
    wrmsr
    mov %edi, %cr3
    mov $0x80010033, %eax               # PG, WP, NE, ET, MP, PE
    mov %eax, %cr0
    lgdt LOAD + gdt_pointer - exo_benchmark_guest
    ljmp $8, $LOAD + paged - exo_benchmark_guest
.code64
.balign 8
gdt: .quad 0, 0x00209a0000000000        # 64-bit code
gdt_pointer: .word 15
    .long LOAD + gdt - exo_benchmark_guest
.balign 8
exo_benchmark_guest_iterations: .quad 0
exo_benchmark_guest_end:
.section .note.GNU-stack, "", @progbits
