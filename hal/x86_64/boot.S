// SPDX-License-Identifier: MIT
// Three doors, one kernel (kernel/abi/boot.hpp): each loads the early page tables, reaches 64-bit mode and goes on in
// the higher half. Runs at its physical address. The early tables map the first 4 GiB three ways: identity, direct map
// and, for its first GiB, the image; mmu_init replaces them.
#include <arch/layout.h>

#define PHYS(symbol) (symbol - HAL_KERNEL_BASE)
#define CR0_BITS 0x80010033  // PG, WP, NE, ET, MP, PE
#define CR4_BITS 0x20        // PAE
#define EFER_MSR 0xc0000080
#define EFER_BITS 0x901      // NXE, LME, SCE

// 32-bit protected mode, flat, paging off: the early tables, then compatibility mode. Changes eax, ecx and edx.
.macro ENTER_LONG_MODE
        mov     %cr4, %eax                  // long-mode paging
        or      $CR4_BITS, %eax             //   needs PAE
        mov     %eax, %cr4
        mov     $PHYS(early_root), %eax     // the early tables
        mov     %eax, %cr3
        mov     $EFER_MSR, %ecx             // SYSCALL, long mode, no-execute
        rdmsr
        or      $EFER_BITS, %eax
        wrmsr
        mov     $CR0_BITS, %eax             // paging on: compatibility mode
        mov     %eax, %cr0
.endm

        .section .boot.header, "a"
        // The multiboot2 header (Multiboot2 3.1): magic, architecture i386, length, checksum, then tags.
        .balign 8
multiboot2_header:
        .long 0xe85250d6, 0, multiboot2_header_end - multiboot2_header
        .long -(0xe85250d6 + 0 + (multiboot2_header_end - multiboot2_header))
        .word 3, 0                          // entry-address tag
        .long 12, boot_multiboot2
        .balign 8
        .word 5, 1                          // framebuffer tag, optional: UEFI has no other screen
        .long 20, 0, 0, 0                   //   of any width, height and depth
        .balign 8
        .word 0, 0                          // end tag
        .long 8
multiboot2_header_end:

        .section .note.pvh, "a", @note
        .balign 4
        .long 4, 8, 18                      // sizes of name and descriptor; XEN_ELFNOTE_PHYS32_ENTRY
        .asciz "Xen"
        .quad boot_pvh

        .section .boot, "ax"
        .code64
        .globl boot_direct
        .type boot_direct, @function
// 64-bit mode, flat or identity-mapped, rdi = StartInfo. Paging may be on or off: both end with our tables.
boot_direct:
        cli                                 // no handler yet
        cld                                 // string operations go upwards
        rdtsc                               // the time stamp at entry, edx:eax
        mov     %eax, %r8d                  // kept in r8:
        shl     $32, %rdx                   //   high half
        or      %rdx, %r8                   //   and low half together
        mov     $HAL_BOOT_DIRECT, %esi      // how we came
        mov     %cr4, %rax                  // long-mode paging
        or      $CR4_BITS, %rax             //   needs PAE
        mov     %rax, %cr4
        mov     $PHYS(early_root), %eax     // the early tables
        mov     %rax, %cr3
        mov     $EFER_MSR, %ecx             // SYSCALL, long mode, no-execute
        rdmsr
        or      $EFER_BITS, %eax
        wrmsr
        mov     $CR0_BITS, %eax             // paging and write protection on
        mov     %rax, %cr0
boot_long:                                  // 64-bit mode, early tables, still at the physical address
        lgdt    boot_gdt_register(%rip)     // our descriptors
        lea     boot_stack_low(%rip), %rsp  // a far return needs two words of stack
        lea     1f(%rip), %rax
        push    $HAL_KERNEL_CODE
        push    %rax
        lretq                               // loads CS
1:      mov     $HAL_KERNEL_DATA, %eax
        mov     %eax, %ss
        xor     %eax, %eax                  // the other segments are not used
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        movabs  $boot_high, %rax            // the higher half
        jmp     *%rax

        .code32
// 32-bit protected mode, flat, paging off, ebx = StartInfo.
boot_pvh:
        mov     $HAL_BOOT_PVH, %esi         // how we came
        jmp     boot_32

// 32-bit protected mode, flat, paging off, ebx = multiboot2 information. GRUB checks the machine; eax is its magic.
boot_multiboot2:
        mov     $HAL_BOOT_MULTIBOOT2, %esi  // how we came
boot_32:
        cli                                 // no handler yet
        cld                                 // string operations go upwards
        mov     %ebx, %edi                  // the information, where the direct entry has it
        rdtsc                               // the time stamp at entry
        mov     %eax, %ebp                  // kept in ebx:ebp
        mov     %edx, %ebx
        ENTER_LONG_MODE
        lgdt    boot_gdt_register           // our descriptors
        ljmp    $HAL_KERNEL_CODE, $1f       // 64-bit mode
        .code64
1:      mov     %ebp, %r8d                  // the time stamp, low half (upper bits cleared)
        shl     $32, %rbx                   //   and high half
        or      %rbx, %r8
        mov     %edi, %edi                  // upper halves are undefined after the mode switch
        mov     %esi, %esi
        jmp     boot_long

// Another CPU, after its INIT and start-up interrupts (SDM 3A 9.4): real mode, CS = the page that the interrupt named,
// IP = 0. Copied there by smp.cpp; what it refers to lies in the image, at physical addresses. No stack.
        .code16
        .globl cpu_trampoline, cpu_trampoline_end
cpu_trampoline:
        cli                                 // no handler yet
        cld                                 // string operations go upwards
        mov     %cs, %ax                    // our own page
        mov     %ax, %ds
        lgdtl   1f - cpu_trampoline         // our descriptors
        mov     %cr0, %eax                  // protected mode
        or      $1, %eax
        mov     %eax, %cr0
        ljmpl   $HAL_BOOT_CODE32, $cpu_protected
1:      .word   boot_gdt_register - boot_gdt - 1
        .long   boot_gdt
cpu_trampoline_end:
        .code32
cpu_protected:
        mov     $HAL_KERNEL_DATA, %eax      // flat
        mov     %eax, %ds
        mov     %eax, %ss
        ENTER_LONG_MODE
        ljmp    $HAL_KERNEL_CODE, $1f       // 64-bit mode
        .code64
1:      xor     %eax, %eax                  // the other segments are not used
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        movabs  $cpu_high, %rax             // the higher half
        jmp     *%rax

        .balign 8
boot_gdt:                                   // the same kernel segments as the final one, and HAL_BOOT_CODE32
        .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
boot_gdt_register:
        .word boot_gdt_register - boot_gdt - 1
        .quad boot_gdt

        .text
        .cfi_sections .debug_frame
        .type boot_high, @function
// The higher half: a stack, an empty frame chain, and C++. rdi = information, esi = way, r8 = time stamp.
boot_high:
        .cfi_startproc
        .cfi_undefined rip                  // back-traces end here
        mov     $boot_stack_top, %rsp       // the boot stack
        xor     %ebp, %ebp                  // end of the frame chain
        mov     %r8, %rdx                   // hal_start(information, way, time stamp)
        call    hal_start
        ud2                                 // it does not return
        .cfi_endproc
        .size boot_high, . - boot_high

        .type cpu_high, @function
// Another CPU in the higher half, on the early tables still. It may have been asked long ago: only if the offer still
// names it does it take the stack, and with the same access it tells that it has arrived.
cpu_high:
        .cfi_startproc
        .cfi_undefined rip                  // back-traces end here
        xor     %eax, %eax                  // our local APIC's id, as initial_apic_id() finds it:
        cpuid
        cmp     $0xb, %eax
        jb      1f
        mov     $0xb, %eax                  //   by the topology leaf
        xor     %ecx, %ecx
        cpuid
        test    %ebx, %ebx
        jnz     2f
1:      mov     $1, %eax                    //   or the old one
        cpuid
        mov     %ebx, %edx
        shr     $24, %edx
2:      mov     $HAL_CPU_OFFERED, %rax      // offered to us
        or      %rdx, %rax
        mov     $HAL_CPU_ARRIVED, %rcx      // becomes arrived
        or      %rdx, %rcx
        lock cmpxchg %rcx, hal_cpu_offer
        jne     3f
        mov     hal_cpu_root, %rax          // the kernel's tables: they map the stack
        mov     %rax, %cr3
        mov     hal_cpu_stack, %rsp
        xor     %ebp, %ebp                  // end of the frame chain
        mov     hal_cpu_index, %edi         // hal_cpu_arrived(index)
        call    hal_cpu_arrived
        ud2                                 // it does not return
3:      cli                                 // too late: nobody counts on us any more
        hlt
        jmp     3b
        .cfi_endproc
        .size cpu_high, . - cpu_high

        // Early tables, complete in the image: nothing to compute. Present, writable; large in the last level.
        .section .data.early_tables, "aw"
        .balign HAL_PAGE_BYTES
        .globl early_root, early_direct
early_root:
        .quad PHYS(early_low) + 3           // identity
        .fill 272, 8, 0
        .quad PHYS(early_direct) + 3        // 273: direct map
        .fill 237, 8, 0
        .quad PHYS(early_image) + 3         // 511: image
early_low:
        .quad PHYS(early_pages) + 0x0003, PHYS(early_pages) + 0x1003
        .quad PHYS(early_pages) + 0x2003, PHYS(early_pages) + 0x3003
        .fill 508, 8, 0
early_direct:
        .quad PHYS(early_pages) + 0x0003, PHYS(early_pages) + 0x1003
        .quad PHYS(early_pages) + 0x2003, PHYS(early_pages) + 0x3003
        .fill 508, 8, 0
early_image:
        .fill 510, 8, 0
        .quad PHYS(early_pages) + 3         // 510: the first GiB at HAL_KERNEL_BASE
        .quad 0
early_pages:
        .set page, 0
        .rept 2048
        .quad page + 0x83
        .set page, page + 0x200000
        .endr

        // The boot thread's stack, its guard page below (left unmapped by mmu_init).
        .section .bss.boot_stack, "aw", @nobits
        .balign HAL_PAGE_BYTES
        .globl boot_stack_guard, boot_stack_top
boot_stack_guard:
        .skip HAL_PAGE_BYTES
        .skip 4 * HAL_PAGE_BYTES
boot_stack_top:
        .set boot_stack_low, PHYS(boot_stack_top)

        .section .note.GNU-stack, "", @progbits
