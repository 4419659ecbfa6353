// SPDX-License-Identifier: MIT
// Every way into the kernel and out again: traps, interrupts, system calls, ring 3. One frame layout for all
// (arch/layout.h HAL_FRAME_*): what comes from ring 3 lies at the top of the thread's kernel stack. Invariants:
//   in ring 0 GS base is the per-CPU header, except between an entry and its SWAPGS: vectors that can hit there (NMI,
//   #MC, #DB, #DF) run on their own stacks, whose top word says what GS base has to be;
//   DF and AC are clear in C++; interrupts are off in every upcall;
//   no register that ring 3 sees holds a kernel value.
#include <arch/layout.h>

        .cfi_sections .debug_frame

// Lets user memory be touched, or stops it: becomes STAC or CLAC at start-up where the CPU has SMAP, else stays a NOP.
.macro SMAP_SITE kind
778:    .byte   0x0f, 0x1f, 0x00            // nopl (%rax): three bytes, as STAC and CLAC
        .pushsection .smap_sites, "a"
        .quad   778b, \kind                 // 1 = STAC, 0 = CLAC
        .popsection
.endm

// The registers, from rax down; the vector and error code are on the stack already.
.macro SAVE_REGISTERS
        push    %rax
        push    %rdi
        push    %rsi
        push    %rdx
        push    %r10
        push    %r8
        push    %r9
        push    %rbp
        push    %rcx
        push    %r11
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    $0                          // CR2, filled in for exceptions
        push    $0                          // keeps the frame a multiple of 16
        .cfi_def_cfa rsp, HAL_FRAME_BYTES
        .cfi_offset rip, HAL_FRAME_RIP - HAL_FRAME_BYTES
        .cfi_offset rsp, HAL_FRAME_RSP - HAL_FRAME_BYTES
        .cfi_offset rbp, HAL_FRAME_RBP - HAL_FRAME_BYTES
        .cfi_offset rbx, HAL_FRAME_RBX - HAL_FRAME_BYTES
        .cfi_offset r12, HAL_FRAME_R12 - HAL_FRAME_BYTES
        .cfi_offset r13, HAL_FRAME_R13 - HAL_FRAME_BYTES
        .cfi_offset r14, HAL_FRAME_R14 - HAL_FRAME_BYTES
        .cfi_offset r15, HAL_FRAME_R15 - HAL_FRAME_BYTES
.endm

.macro RESTORE_REGISTERS
        add     $16, %rsp                   // padding and CR2
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %r11
        pop     %rcx
        pop     %rbp
        pop     %r9
        pop     %r8
        pop     %r10
        pop     %rdx
        pop     %rsi
        pop     %rdi
        pop     %rax
        add     $16, %rsp                   // vector and error code
        .cfi_def_cfa rsp, 40
.endm

// A frame record (saved rbp, return address) for a trap from ring 0, so that back-traces pass through it.
// Expects the frame at \frame, leaves rsp 16-byte aligned.
.macro PUSH_FRAME_RECORD frame
        push    HAL_FRAME_RIP(\frame)
        push    %rbp
        mov     %rsp, %rbp
.endm

        .section .text.entry, "ax"

// One stub a vector, HAL_STUB_BYTES apart: pushes an error code if the CPU did not, then the vector.
        .balign HAL_STUB_BYTES
        .globl trap_stubs
        .type trap_stubs, @function
trap_stubs:
        .set number, 0
        .rept 256
        .balign HAL_STUB_BYTES
        .if (number < 32) && ((0x60227d00 >> (number & 31)) & 1) // 8, 10..14, 17, 21, 29, 30 push one
        .else
        push    $0
        .endif
        .byte   0x68                        // push imm32, the same length for all
        .long   number
        .if number == 1 || number == 2 || number == 8 || number == 18
        jmp     paranoid_entry
        .elseif number < 32
        jmp     trap_entry
        .else
        jmp     interrupt_entry
        .endif
        .set number, number + 1
        .endr
        .size trap_stubs, . - trap_stubs
        .balign HAL_STUB_BYTES

// An exception on the current or the thread's stack.
        .type trap_entry, @function
trap_entry:
        .cfi_startproc simple
        .cfi_signal_frame
        .cfi_def_cfa rsp, 56
        SAVE_REGISTERS
        cld                                 // C++ expects DF clear
        SMAP_SITE 0                         // ring 3 may have set AC
        mov     %cr2, %rax                  // where a page fault happened
        mov     %rax, HAL_FRAME_CR2(%rsp)
        testb   $3, HAL_FRAME_CS(%rsp)      // from ring 3?
        jz      1f
        swapgs                              // the kernel's GS base
user_trap:
        xor     %ebp, %ebp                  // end of the kernel's frame chain
        mov     %rsp, %rdi                  // kernel_trap(frame)
        call    kernel_trap
        jmp     leave_to_user
1:      cmpq    $iret_to_user, HAL_FRAME_RIP(%rsp)  // the return to ring 3 itself faulted:
        je      2f                                  //   registers and GS are the user's
        mov     %rsp, %rdi                  // kernel_trap(frame)
        PUSH_FRAME_RECORD %rdi
        .cfi_def_cfa rsp, HAL_FRAME_BYTES + 16
        call    kernel_trap
        add     $16, %rsp                   // the frame record
        RESTORE_REGISTERS
        iretq
        .cfi_def_cfa rsp, HAL_FRAME_BYTES
2:      swapgs                              // back to the kernel's GS base
        xor     %ebp, %ebp
        mov     %rsp, %rdi                  // makes it a fault of the user instruction
        call    hal_return_fault            //   and tells where its frame is now
        mov     %rax, %rsp
        jmp     user_trap
        .cfi_endproc
        .size trap_entry, . - trap_entry

// A device interrupt: handled on the CPU's interrupt stack. Handlers do not nest.
        .type interrupt_entry, @function
interrupt_entry:
        .cfi_startproc simple
        .cfi_signal_frame
        .cfi_def_cfa rsp, 56
        SAVE_REGISTERS
        cld                                 // C++ expects DF clear
        SMAP_SITE 0                         // ring 3 may have set AC
        mov     %rsp, %rbx                  // the frame, kept across the call
        mov     HAL_FRAME_VECTOR(%rsp), %edi // hal_interrupt(vector)
        testb   $3, HAL_FRAME_CS(%rsp)      // from ring 3?
        jz      1f
        swapgs                              // the kernel's GS base
        xor     %ebp, %ebp                  // end of the frame chain
        mov     %gs:HAL_PERCPU_INTERRUPT_STACK, %rsp
        .cfi_def_cfa rbx, HAL_FRAME_BYTES
        call    hal_interrupt
        mov     %rbx, %rsp                  // the thread's stack
        .cfi_def_cfa rsp, HAL_FRAME_BYTES
        .globl leave_to_user
// The way out after a trap or interrupt from ring 3: rsp = frame at the top of the thread's kernel stack.
leave_to_user:
        call    kernel_return_to_user       // may switch threads, may not return
restore_to_user:
        RESTORE_REGISTERS
        swapgs                              // the user's GS base
        .globl iret_to_user
iret_to_user:
        iretq
        .cfi_def_cfa rsp, HAL_FRAME_BYTES
1:      mov     %gs:HAL_PERCPU_INTERRUPT_STACK, %rsp
        .cfi_def_cfa rbx, HAL_FRAME_BYTES
        PUSH_FRAME_RECORD %rbx
        call    hal_interrupt
        mov     %rbx, %rsp                  // where we came from; no thread switch in ring 0
        .cfi_def_cfa rsp, HAL_FRAME_BYTES
        RESTORE_REGISTERS
        iretq
        .cfi_endproc
        .size interrupt_entry, . - interrupt_entry

// NMI, #MC, #DB, #DF: on a stack of their own, at any instruction, so also where ring 0 still has the user's GS base
// or not any more. The word above the frame is this CPU's per-CPU pointer: GS base is compared with it, not guessed.
        .type paranoid_entry, @function
paranoid_entry:
        .cfi_startproc simple
        .cfi_signal_frame
        .cfi_def_cfa rsp, 56
        SAVE_REGISTERS
        cld                                 // C++ expects DF clear
        SMAP_SITE 0                         // AC may be set
        mov     %cr2, %rax                  // kept: a page fault may just have begun
        mov     %rax, HAL_FRAME_CR2(%rsp)
        testb   $3, HAL_FRAME_CS(%rsp)      // from ring 3 there is no doubt
        jnz     2f
        mov     $0xc0000101, %ecx           // GS_BASE
        rdmsr
        shl     $32, %rdx                   // as one word in rax
        or      %rdx, %rax
        xor     %r12d, %r12d                // 1: swapped, to be undone
        cmp     HAL_FRAME_BYTES(%rsp), %rax // the kernel's?
        je      1f
        swapgs                              // no: now it is
        inc     %r12d
1:      mov     %rsp, %rbx                  // the frame, kept across the call
        mov     %rsp, %rdi                  // kernel_trap(frame)
        PUSH_FRAME_RECORD %rbx
        .cfi_def_cfa rbx, HAL_FRAME_BYTES
        call    kernel_trap
        mov     %rbx, %rsp
        .cfi_def_cfa rsp, HAL_FRAME_BYTES
        mov     HAL_FRAME_CR2(%rsp), %rax   // a fault inside must not change what the interrupted code reads
        mov     %rax, %cr2
        test    %r12d, %r12d                // GS as it was
        jz      3f
        swapgs
3:      RESTORE_REGISTERS
        iretq
        .cfi_def_cfa rsp, HAL_FRAME_BYTES
2:      swapgs                              // from ring 3: an ordinary trap, moved to the thread's stack
        mov     %gs:HAL_PERCPU_KERNEL_STACK, %rdi
        sub     $HAL_FRAME_BYTES, %rdi      // its frame is at the top
        mov     %rdi, %rax
        mov     %rsp, %rsi                  // from the special stack
        mov     $HAL_FRAME_BYTES / 8, %ecx
        rep movsq
        mov     %rax, %rsp
        jmp     user_trap
        .cfi_endproc
        .size paranoid_entry, . - paranoid_entry

// SYSCALL (APM2 6.1.1): rcx = return address, r11 = flags, rsp still the user's, FMASK applied. Fills the part of the
// frame that system calls need; kernel_syscall keeps rbx and r12..r15 as every C++ function does.
        .globl syscall_entry
        .type syscall_entry, @function
syscall_entry:
        .cfi_startproc simple
        .cfi_signal_frame
        .cfi_def_cfa rsp, 0
        .cfi_register rip, rcx
        swapgs                              // the kernel's GS base
        mov     %rsp, %gs:HAL_PERCPU_USER_STACK
        mov     %gs:HAL_PERCPU_KERNEL_STACK, %rsp
        push    $HAL_USER_DATA              // ss
        push    %gs:HAL_PERCPU_USER_STACK   // rsp
        push    %r11                        // rflags
        push    $HAL_USER_CODE              // cs
        push    %rcx                        // rip
        push    $0                          // no error code
        push    $HAL_VECTOR_SYSCALL         // where a trap has its vector
        push    %rax                        // number
        push    %rdi                        // arguments
        push    %rsi
        push    %rdx
        push    %r10
        push    %r8
        push    %r9
        push    %rbp                        // the user's, so that ours can end the frame chain
        sub     $HAL_FRAME_RBP, %rsp        // the rest of the frame
        .cfi_def_cfa rsp, HAL_FRAME_BYTES
        .cfi_offset rip, HAL_FRAME_RIP - HAL_FRAME_BYTES
        .cfi_offset rsp, HAL_FRAME_RSP - HAL_FRAME_BYTES
        .cfi_offset rbp, HAL_FRAME_RBP - HAL_FRAME_BYTES
        xor     %ebp, %ebp                  // end of the kernel's frame chain
        mov     %rsp, %rdi                  // kernel_syscall(frame)
        cmp     $hal_syscall_count, %rax    // does this number want all registers in the frame?
        jae     1f
        cmpb    $0, syscall_full_frame(%rax)
        jne     syscall_full
1:      call    kernel_syscall
        cmpb    $0, %gs:HAL_PERCPU_WORK_PENDING // a switch or an end is due
        jne     4f
2:      mov     HAL_FRAME_RIP(%rsp), %rcx   // SYSRET to a non-canonical address would fault in ring 0
        mov     %rcx, %r11
        shr     $47, %r11
        jnz     3f
        mov     HAL_FRAME_RFLAGS(%rsp), %r11
        mov     HAL_FRAME_RBP(%rsp), %rbp
        mov     HAL_FRAME_R9(%rsp), %r9
        mov     HAL_FRAME_R8(%rsp), %r8
        mov     HAL_FRAME_R10(%rsp), %r10
        mov     HAL_FRAME_RDX(%rsp), %rdx
        mov     HAL_FRAME_RSI(%rsp), %rsi
        mov     HAL_FRAME_RDI(%rsp), %rdi
        mov     HAL_FRAME_RAX(%rsp), %rax
        mov     HAL_FRAME_RSP(%rsp), %rsp   // the user's stack: nothing below is ours
        .cfi_remember_state
        .cfi_def_cfa rsp, 0
        .cfi_register rip, rcx
        .cfi_same_value rbp
        swapgs                              // the user's GS base
        sysretq
        .cfi_restore_state
3:      mov     %rbx, HAL_FRAME_RBX(%rsp)   // by IRETQ: complete the frame
        mov     %r12, HAL_FRAME_R12(%rsp)
        mov     %r13, HAL_FRAME_R13(%rsp)
        mov     %r14, HAL_FRAME_R14(%rsp)
        mov     %r15, HAL_FRAME_R15(%rsp)
        mov     %rcx, HAL_FRAME_RCX(%rsp)   // what SYSCALL left there
        mov     HAL_FRAME_RFLAGS(%rsp), %rcx
        mov     %rcx, HAL_FRAME_R11(%rsp)
        jmp     restore_to_user
4:      call    kernel_return_to_user       // may switch threads, may not return
        jmp     2b
// A system call that reads or changes every register: leaves through the frame.
syscall_full:
        mov     %rbx, HAL_FRAME_RBX(%rsp)
        mov     %r12, HAL_FRAME_R12(%rsp)
        mov     %r13, HAL_FRAME_R13(%rsp)
        mov     %r14, HAL_FRAME_R14(%rsp)
        mov     %r15, HAL_FRAME_R15(%rsp)
        mov     %rcx, HAL_FRAME_RCX(%rsp)
        mov     %r11, HAL_FRAME_R11(%rsp)
        call    kernel_syscall
        jmp     leave_to_user
        .cfi_endproc
        .size syscall_entry, . - syscall_entry

// hal_enter_user(entry, stack, argument): leaves this kernel thread for ring 3. All registers zero except rdi.
        .globl hal_enter_user
        .type hal_enter_user, @function
hal_enter_user:
        .cfi_startproc
        .cfi_undefined rip
        push    $HAL_USER_DATA              // ss
        push    %rsi                        // rsp
        push    $0x202                      // rflags: interrupts on
        push    $HAL_USER_CODE              // cs
        push    %rdi                        // rip
        mov     %rdx, %rdi                  // the argument
        xor     %eax, %eax                  // nothing of the kernel goes along
        xor     %ebx, %ebx
        xor     %ecx, %ecx
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %ebp, %ebp
        xor     %r8d, %r8d
        xor     %r9d, %r9d
        xor     %r10d, %r10d
        xor     %r11d, %r11d
        xor     %r12d, %r12d
        xor     %r13d, %r13d
        xor     %r14d, %r14d
        xor     %r15d, %r15d
        swapgs                              // the user's GS base
        jmp     iret_to_user                // the one IRETQ whose faults are known
        .cfi_endproc
        .size hal_enter_user, . - hal_enter_user

// hal_user_copy(to, from, bytes) -> bytes not copied. Words, then the odd bytes; a fault in either ends it.
        .globl hal_user_copy
        .type hal_user_copy, @function
hal_user_copy:
        .cfi_startproc
        SMAP_SITE 1                         // user memory may be touched
        mov     %rdx, %rcx                  // whole words
        shr     $3, %rcx
        and     $7, %edx                    // odd bytes
1:      rep movsq
        mov     %edx, %ecx
2:      rep movsb
3:      SMAP_SITE 0                         // no longer
        mov     %rcx, %rax                  // bytes left
        ret
4:      lea     (%rdx,%rcx,8), %rcx         // fault among the words: those left and the odd bytes
        jmp     3b
        .cfi_endproc
        .size hal_user_copy, . - hal_user_copy
        .pushsection .ex_table, "a"
        .quad   1b, 4b                      // faulting instruction, where to go on
        .quad   2b, 3b
        .popsection

// The first code of a new context (context_make): argument and entry are on its stack.
        .globl hal_context_start
        .type hal_context_start, @function
hal_context_start:
        .cfi_startproc
        .cfi_undefined rip                  // back-traces end here
        xor     %ebp, %ebp                  // and so does the frame chain
        pop     %rdi                        // argument
        pop     %rax                        // entry
        call    *%rax                       // from a 16-byte aligned stack
        ud2                                 // it does not return
        .cfi_endproc
        .size hal_context_start, . - hal_context_start

        .section .note.GNU-stack, "", @progbits
