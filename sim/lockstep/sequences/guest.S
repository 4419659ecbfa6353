# SPDX-License-Identifier: GPL-2.0-or-later
# The guest that runs generated instruction sequences: PVH entry, long mode, tables, a handler for each vector that
# records what happened and resumes where the sequence said. The sequences are written into `sequences` of the ELF file
# (generator.cpp); they end by jumping to `done`.
#
# Everything is identity-mapped and open to ring 3, except page_absent (not present), page_read_only, and
# page_supervisor. Handlers run on stacks of their own, so that a sequence may ruin RSP.
.set KCODE, 0x08
.set KDATA, 0x10
.set UDATA, 0x20 | 3
.set UCODE, 0x28 | 3
.set NOT_PRESENT, 0x30
.set TSS, 0x40
.set LDT, 0x60
.set HANDLER_STACK, 16384

.section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad start32

.text
.code32
.globl start32
start32:
    cli
    cld
    mov $0x206a0, %eax              # PCIDE is not set; OSFXSR, OSXMMEXCPT, PAE, PGE
    and $0x6a0, %eax
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x901, %eax                 # NXE, LME, SCE
    wrmsr
    mov $0x80010033, %eax           # PG, WP, NE, ET, MP, PE
    mov %eax, %cr0
    lgdt gdt_register
    ljmp $KCODE, $start64
.code64
start64:
    mov $0xff, %al                  # the PICs' interrupts masked: some sequences set IF
    out %al, $0x21
    out %al, $0xa1
    mov $KDATA, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $stack_top, %esp
    # 256 interrupt gates on IST 1; 3, 4 and 0x80 are open to ring 3.
    mov $stubs, %edx
    mov $idt, %edi
    mov $256, %ecx
1:  mov %dx, (%rdi)
    movw $KCODE, 2(%rdi)
    movw $0x8e01, 4(%rdi)
    mov %edx, %eax
    shr $16, %eax
    mov %ax, 6(%rdi)
    movq $0, 8(%rdi)
    add $16, %edi
    add $16, %edx
    loop 1b
    movw $0xee01, idt + 16*3 + 4
    movw $0xee01, idt + 16*4 + 4
    movw $0xee01, idt + 16*0x80 + 4
    movw $0x0e01, idt + 16*0x81 + 4 # not present: #NP
    lidt idt_register
    mov $tss, %eax
    mov %ax, gdt + TSS + 2
    shr $16, %eax
    mov %al, gdt + TSS + 4
    mov %ah, gdt + TSS + 7
    mov $ldt, %eax
    mov %ax, gdt + LDT + 2
    shr $16, %eax
    mov %al, gdt + LDT + 4
    mov %ah, gdt + LDT + 7
    movq $handler_stack_top, tss + 36
    movq $stack_top, tss + 4
    mov $TSS, %eax
    ltr %ax
    # SYSCALL and SYSRET
    mov $0xc0000081, %ecx
    xor %eax, %eax
    mov $(0x18 << 16) | KCODE, %edx
    wrmsr
    inc %ecx
    mov $on_syscall, %eax
    xor %edx, %edx
    wrmsr
    mov $0xc0000084, %ecx
    mov $0x47700, %eax              # TF IF DF IOPL NT AC
    wrmsr
    fninit
    jmp sequences

# From ring 3: as if a vector 0x100 had come, with the flags of SYSCALL.
on_syscall:
    mov %rsp, scratch_rsp
    mov $handler_stack_top, %rsp
    pushq $KDATA
    pushq scratch_rsp
    push %r11
    pushq $UCODE
    push %rcx
    pushq $0
    pushq $0x100
    jmp common

.balign 16
stubs:
.set vector, 0
.rept 256
    .balign 16
    .if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17))
    pushq $0
    .endif
    pushq $vector
    jmp common
    .set vector, vector + 1
.endr

# { vector, error, rip, cs, rflags, rsp, ss } is appended to the record; resume goes on in ring 0 with the sequence's
# stack. General registers are as the sequence left them, flags too, less TF.
common:
    push %rax
    push %rcx
    mov record_next, %rcx
    .irp slot, 0, 1, 2, 3, 4, 5, 6
    mov 16 + 8*\slot(%rsp), %rax
    mov %rax, 8*\slot(%rcx)
    .endr
    mov %cr2, %rax
    mov %rax, 56(%rcx)
    add $64, %ecx
    and $~0x4000, %ecx              # the record is a ring of 16 KiB, aligned to twice that
    mov %rcx, record_next
    mov resume, %rax
    mov %rax, 32(%rsp)
    movq $KCODE, 40(%rsp)
    andq $~0x4100, 48(%rsp)         # TF, NT
    mov resume_rsp, %rax
    mov %rax, 56(%rsp)
    movq $KDATA, 64(%rsp)
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

.globl done
done:
    mov $0x10, %al
    out %al, $0xf4
1:  cli
    hlt
    jmp 1b

.globl sequences
.balign 4096
sequences:
    .skip 2 << 20, 0xcc
sequences_end:
.globl sequences_end

.data
.balign 4096
pml4:
    .quad pdpt + 7
    .fill 511, 8, 0
pdpt:
    .quad directory + 7
    .fill 511, 8, 0
directory:                          # 32 MiB; the pages at 6 MiB are small ones
    .set page, 0
    .rept 16
    .if page == 0x600000
    .quad small_pages + 7
    .else
    .quad page + 0x87
    .endif
    .set page, page + 0x200000
    .endr
    .fill 512 - 16, 8, 0
small_pages:                        # 6 MiB: present, absent, read-only, supervisor, no-execute, ...
    .quad 0x600007, 0x601006, 0x602005, 0x603003, 0x8000000000604007
    .quad 0x605007, 0x606007, 0x607006
    .fill 504, 8, 0
.balign 16
gdt:
    .quad 0
    .quad 0x00af9b000000ffff        # 08 kernel code
    .quad 0x00cf93000000ffff        # 10 kernel data
    .quad 0x00cffb000000ffff        # 18 user code, 32 bits (what SYSRET counts from)
    .quad 0x00cff3000000ffff        # 20 user data
    .quad 0x00affb000000ffff        # 28 user code
    .quad 0x00cf13000000ffff        # 30 data, not present
    .quad 0x00cf91000000ffff        # 38 data, read-only
    .quad 0x0000890000000067, 0     # 40 TSS
    .quad 0x008f9b000000ffff        # 50 code without L or D
    .quad 0x00cf99000000ffff        # 58 code, execute-only
    .quad 0x000082000000002f, 0     # 60 LDT
.globl gdt_register, idt_register
gdt_register: .word gdt_register - gdt - 1
    .quad gdt
    .balign 16
idt_register: .word 256*16 - 1
    .quad idt
    .balign 16
ldt:                                # descriptors.cpp names them
    .quad 0
    .quad 0x00cf93000000ffff        # 0c data
    .quad 0x00cff1000000ffff        # 14 data of ring 3, read-only
    .quad 0x00cf13000000ffff        # 1c data, not present
    .quad 0x00af99000000ffff        # 24 code, execute-only
    .quad 0x00cf9f000000ffff        # 2c code, conforming, to be read
.balign 8
record_next: .quad record
.globl resume, resume_rsp
resume: .quad 0
resume_rsp: .quad stack_top
scratch_rsp: .quad 0

.bss
.balign 32768
record: .skip 32768
.balign 4096
idt: .skip 4096
tss: .skip 104
.balign 64
.skip 16384
.globl stack_top
stack_top:
    .skip 64
.balign 64
.skip HANDLER_STACK
handler_stack_top:
    .skip 64
