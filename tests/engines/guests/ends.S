# SPDX-License-Identifier: GPL-2.0-or-later
# How runs end, one letter of the command line each.
.include "board.inc"
main:
    lea table(%rip), %rbx
1:  movzbl (%rbx), %eax
    test %eax, %eax
    jz power_off
    cmp %r15d, %eax
    je 2f
    add $8, %rbx
    jmp 1b
2:  movslq 4(%rbx), %rax
    add %rbx, %rax
    jmp *%rax
.macro entry letter, target
    .ascii "\letter\0\0\0"
    .long \target - (. - 4)
.endm
table:
    entry f, failure
    entry s, spin
    entry h, halt_off
    entry n, halt_no_timer
    entry j, jump_outside
    entry r, read_outside
    entry w, write_outside
    entry t, triple_no_idt
    entry d, double_fault
    entry D, triple_bad_ist
    entry p, not_present_gate
    entry c, canonical_handler
    entry v, vex
    entry z, null_call
    entry b, bochs
    entry T, table_outside
    entry a, apic_fetch
    entry m, string_for_ever
    entry S, stack_outside
    entry g, bad_gate
    entry u, user_spin
    entry e, write_across_end
    entry l, last_instruction
    entry L, instruction_across_end
    entry x, transaction
    entry P, fault_ahead
    entry A, acpi_halt
    entry B, acpi_spin
    entry i, divide_by_register
    entry I, divide_by_memory
    .quad 0
failure:
    mov $0x11, %al
    out %al, $0xf4
spin:
    pause
    jmp spin
halt_off:
    hlt
    jmp halt_off
acpi_halt:                          # soft off by q35's PM1 control: QEMU only
    call acpi_off
    jmp halt_off
acpi_spin:
    call acpi_off
    jmp spin
acpi_off:
    mov $0x604, %edx
    mov $0x2000, %eax
    out %ax, %dx
    ret
halt_no_timer:
    sti
    hlt
    jmp halt_off
jump_outside:                       # 512 MiB: mapped, but there is no RAM
    mov $0x20000000, %eax
    jmp *%rax
read_outside:
    mov 0x20000000, %eax
    jmp power_off
write_outside:
    mov %eax, 0x20000008
    jmp power_off
triple_no_idt:
    lidt no_idt(%rip)
    ud2
double_fault:                       # a stack that is not mapped; #DF has one of its own
    handle 8, on_double_fault
    gate 8, 0x8e01
    mov $WINDOW + 0x1000, %esp
    mov 0x700000, %rax
    hlt
on_double_fault:
    call report
    jmp power_off
triple_bad_ist:
    movq $WINDOW + 0x2000, tss+36(%rip)
    gate 8, 0x8e01
    mov $WINDOW + 0x1000, %esp
    mov 0x700000, %rax
    hlt
divide_by_register:                 # the least dividend by -1: the quotient does not fit
    call least_by_minus_one
    idiv %r9d
    hlt
divide_by_memory:
    call least_by_minus_one
    push %r9
    idivl (%rsp)
    hlt
least_by_minus_one:
    handle 0, on_double_fault
    mov $0x80000000, %edx
    xor %eax, %eax
    mov $-1, %r9
    ret
not_present_gate:                   # #UD's gate: #NP(6 * 8 + 2 + 1)
    gate 6, 0x0e00
    handle 11, on_double_fault
    ud2
canonical_handler:                  # #UD's handler is at an impossible address: #GP
    movl $0x8000, idt+16*6+8(%rip)
    handle 13, on_double_fault
    ud2
bad_gate:                           # a call gate is no interrupt gate: #GP(6 * 8 + 2 + 1)
    gate 6, 0x8c00
    handle 13, on_double_fault
    ud2
vex:
    vaddps %ymm0, %ymm1, %ymm2
    jmp power_off
null_call:                          # address 0 is mapped here and holds zeros: add %al, (%rax)
    xor %eax, %eax
    call *%rax
bochs:
    mov $0x8900, %edx
    say ""
    lea 9f(%rip), %rsi
    mov $0x8900, %edx
    mov $8, %ecx
    rep outsb
    jmp spin
9:  .ascii "Shutdown"
.set RAM_END, 0x1000000             # of the 16 MiB that the tests give
write_across_end:                   # the first four bytes are there
    mov %rax, RAM_END - 4
    jmp power_off
last_instruction:                   # runs, and what follows it is outside
    movl $0x332211b8, RAM_END - 5   # mov $0x44332211, %eax
    movb $0x44, RAM_END - 1
    mov $RAM_END - 5, %ecx
    jmp *%rcx
instruction_across_end:
    movw $0x00b8, RAM_END - 2
    mov $RAM_END - 2, %ecx
    jmp *%rcx
transaction:
    xbegin power_off
fault_ahead:                        # the page ends in an instruction, and the next one is not mapped
    handle 14, on_fault_ahead
    movq $0x300003, page_table(%rip)
    mov $WINDOW + 0xffb, %ebx
    movw $0xb890, -1(%rbx)          # nop; mov $0x44332211, %eax
    movl $0x44332211, 1(%rbx)
    xor %eax, %eax
    dec %ebx
    jmp *%rbx
on_fault_ahead:
    push %rdi
    mov 64(%rdi), %rax
    call hex                        # rax: it was executed
    mov (%rsp), %rdi
    call report
    mov $'/', %al
    call putc
    pop %rdi
    mov F_RIP(%rdi), %rax
    call hex                        # and RIP is where the fault is
    jmp power_off
table_outside:                      # page tables where there is no RAM
    mov $0x20000000, %eax
    mov %rax, %cr3
    jmp power_off
apic_fetch:
    mov $LAPIC, %eax
    jmp *%rax
string_for_ever:
    mov $-1, %rcx
    lea 8f(%rip), %rdi
    lea 8f(%rip), %rsi
    movabs $1 << 40, %rcx
    .byte 0xf3, 0x90                # PAUSE
    xor %eax, %eax
1:  mov $200, %ecx
    lea 8f(%rip), %rdi
    rep stosb
    jmp 1b
stack_outside:
    mov $0x20001000, %esp
    ud2
user_spin:
    push $UDATA
    push $0x5ff000
    push $0x202
    push $UCODE
    push $user_loop
    iretq
.data
no_idt: .word 0
    .quad 0
.bss
8:  .skip 256
.section .user, "awx"
user_loop: jmp user_loop
.text
