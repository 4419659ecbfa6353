// SPDX-License-Identifier: GPL-2.0-or-later
// Guests that do not end as they should, one a definition: FLOOD prints for ever, SPIN does nothing for ever, TRIPLE and
// RESET reset the machine at once, CODE ends with a number of its own. By PVH or multiboot2, in 32-bit mode.
        .section .header, "a"
        .balign 8
header: .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
        .word 3, 0                  // entry-address tag
        .long 12, start
        .balign 8
        .word 0, 0                  // end tag
        .long 8
header_end:

        .section .note.pvh, "a", @note
        .long 4, 4, 18              // XEN_ELFNOTE_PHYS32_ENTRY
        .asciz "Xen"
        .long start

        .text
        .code32
        .globl start
start:  cli
#if defined(FLOOD)
.macro set register, value
        mov     $0x3f8 + \register, %dx
        mov     $\value, %al
        out     %al, %dx
.endm
        set     3, 0x83             // 8 bits; the divisor
        set     0, 1                // 115,200 baud
        set     1, 0
        set     3, 0x03
1:      mov     $0x3fd, %dx
        in      %dx, %al
        test    $0x20, %al          // room in the transmitter
        jz      1b
        mov     $0x3f8, %dx
        mov     $'x', %al
        out     %al, %dx
        jmp     1b
#elif defined(SPIN)
1:      pause
        jmp     1b
#elif defined(TRIPLE)
        lidt    no_table
        int3
no_table:
        .word 0
        .long 0
#elif defined(RESET)
        mov     $0xfe, %al          // the keyboard controller's reset line
        out     %al, $0x64
1:      hlt
        jmp     1b
#elif defined(CODE)
        mov     $5, %al
        out     %al, $0xf4
1:      hlt
        jmp     1b
#endif
