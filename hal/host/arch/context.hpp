// SPDX-License-Identifier: MIT
// The windowed switch in a Linux process. Unlike the kernel's own build, host code keeps values in vector and mask
// registers, so the switch lists those as clobbered too. rbp cannot be listed where a frame pointer is used: the
// assembly pushes it, and a parked stack starts with that word.
//
// Whoever inlines context_switch is built with -mno-red-zone (the push would overwrite the red zone) and with frame
// pointers (the unwind information below says that the frame is found from rbp). The target exo_hal_host passes both
// on to its users.
#pragma once
#include <hal/mmu.hpp>
#include <span>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace hal {

using ContextEntry = void (*)(void*);

struct Context {
    void* stack_pointer = nullptr;  // of a parked context: points to its saved rbp
    void* resume = nullptr;
#if defined(__SANITIZE_THREAD__)
    void* fiber = nullptr;  // TSan's, made by context_make; for a thread that was never made, taken at its first switch
#endif
};

#if defined(__SANITIZE_ADDRESS__)
inline constexpr std::size_t kernel_stack_bytes = 256 * 1024;
#else
inline constexpr std::size_t kernel_stack_bytes = 64 * 1024;
#endif

namespace host {
void asan_leave(const void* next_stack_pointer);  // ASan only: the next stack's bounds, found by address
void asan_arrive();
void asan_forget_stack(std::span<std::byte> stack);
}  // namespace host

Context context_make(std::span<std::byte> stack, ContextEntry, void* argument);
void context_release(Context&);

// GCC knows 16 mask and 32 vector registers only where AVX-512 is on; a clobbered xmm register stands for the whole
// ymm or zmm register.
#if defined(__AVX512F__)
#define HAL_HOST_AVX512_CLOBBERS                                                                                  \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", \
        "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define HAL_HOST_AVX512_CLOBBERS
#endif

// Between the jump's target and `popq`, the stack is the new one and rbp is not yet: the CFA (saved rbp + 16) is read
// from the top of the stack. Bytes: DW_CFA_def_cfa_expression, length 5, DW_OP_breg7(rsp) 0, DW_OP_deref,
// DW_OP_plus_uconst 16 (DWARF 5, 6.4.2.2).
[[gnu::always_inline]] inline void context_switch(Context& from, const Context& to) {
#if defined(__SANITIZE_ADDRESS__)
    host::asan_leave(to.stack_pointer);
#endif
#if defined(__SANITIZE_THREAD__)
    from.fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.fiber, 0);
#endif
    Context* parked = &from;
    const Context* next = &to;
    asm volatile(
        "pushq %%rbp\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "movq %%rsp, (%0)\n\t"
        "movq %%rax, 8(%0)\n\t"
        "movq (%1), %%rsp\n\t"
        "jmpq *8(%1)\n"
        "1:\n\t"
        ".cfi_remember_state\n\t"
        ".cfi_escape 0x0f, 0x05, 0x77, 0x00, 0x06, 0x23, 0x10\n\t"
        "popq %%rbp\n\t"
        ".cfi_restore_state"
        : "+D"(parked), "+S"(next)
        :
        : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc", "st",
          "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
          "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
          "xmm15" HAL_HOST_AVX512_CLOBBERS);
#if defined(__SANITIZE_ADDRESS__)
    host::asan_arrive();
#endif
}
#undef HAL_HOST_AVX512_CLOBBERS

// The lowest page of the block becomes the guard by mprotect: touching it is a SIGSEGV.
std::span<std::byte> map_kernel_stack(PhysAddr block, std::size_t pages, TableFrames&);
void unmap_kernel_stack(std::span<std::byte> stack, PhysAddr block, std::size_t pages);

}  // namespace hal
