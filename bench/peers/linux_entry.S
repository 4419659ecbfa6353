# SPDX-License-Identifier: MIT
# A Linux boot-protocol image (Linux: Documentation/arch/x86/boot.rst) that reports the time stamp at its first
# instruction and ends the machine: what the firmware and the loader cost before they enter a kernel given by QEMU's
# -kernel. Entered in real mode at 0x200 of its setup part.
        .set com1, 0x3f8
        .code16
        .text
        .globl _start
_start:
        .org 0x1f1
        .byte 1                         # setup_sects: one beyond the boot sector
        .word 0
        .long 1                         # syssize, paragraphs
        .word 0, 0xffff, 0
        .word 0xaa55
        jmp enter                       # 0x200, two bytes
        .ascii "HdrS"
        .word 0x020c                    # protocol 2.12
        .long 0
        .word 0, 0
        .byte 0, 1                      # loadflags: LOADED_HIGH
        .word 0
        .long 0x100000                  # code32_start
        .long 0, 0, 0
        .word 0
        .byte 0, 0
        .long 0
        .long 0x7fffffff                # initrd_addr_max
        .long 0x1000
        .byte 0, 0
        .word 0
        .long 2047                      # cmdline_size
        .org 0x268
enter:  rdtsc
        movl %edx, %ebx
        movl %eax, %ebp
        movw %cs, %ax
        movw %ax, %ds
        cld
        movw $(line - _start - 0x200), %si       # CS:0 is 0x200 of the file
1:      lodsb
        testb %al, %al
        jz 2f
        call put
        jmp 1b
2:      movl %ebx, %edi
        call hex
        movl %ebp, %edi
        call hex
        movb $'\n', %al
        call put
        movw $(com1 + 5), %dx
3:      inb %dx, %al                    # until everything is out
        testb $0x40, %al
        jz 3b
        movb $0x10, %al
        outb %al, $0xf4
4:      hlt
        jmp 4b

hex:    movw $8, %cx                    # EDI, eight digits
5:      roll $4, %edi
        movw %di, %ax
        andb $15, %al
        addb $'0', %al
        cmpb $'9', %al
        jbe 6f
        addb $('a' - '0' - 10), %al
6:      call put
        loop 5b
        ret

put:    movb %al, %ah
        movw $(com1 + 5), %dx
7:      inb %dx, %al
        testb $0x20, %al
        jz 7b
        movb %ah, %al
        movw $com1, %dx
        outb %al, %dx
        ret
line:   .asciz "kernel-entry tsc=0x"
        .org 0x400
        .space 512                      # the part that is loaded at 1 MiB: never entered
        .section .note.GNU-stack,"",@progbits
