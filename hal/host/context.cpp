// SPDX-License-Identifier: MIT
// Where a new context starts, its stack and guard, and what the sanitizers must be told.
#include <sys/mman.h>

#include <cstdint>
#include <hal/context.hpp>

#include "state.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

#include <map>
#include <mutex>
#endif

extern "C" void exo_host_context_start();
extern "C" void exo_host_context_arrived() {
#if defined(__SANITIZE_ADDRESS__)
    hal::host::asan_arrive();
#endif
}

// A new stack holds, from its stack pointer up: 0 (the frame-pointer chain ends here), the entry, its argument. The
// first switch jumps here; the undefined return address ends every backtrace.
asm(R"(
    .text
    .globl exo_host_context_start
    .type exo_host_context_start, @function
exo_host_context_start:
    .cfi_startproc
    .cfi_undefined rip
    popq %rbp
    .cfi_adjust_cfa_offset -8
    popq %rbx
    .cfi_adjust_cfa_offset -8
    popq %r12
    .cfi_adjust_cfa_offset -8
    call exo_host_context_arrived
    movq %r12, %rdi
    call *%rbx
    ud2
    .cfi_endproc
    .size exo_host_context_start, . - exo_host_context_start
)");

namespace hal {
namespace host {

// ASan must know the bounds of the stack it finds itself on. A context stays two words, so they are kept by address.
#if defined(__SANITIZE_ADDRESS__)
namespace {
struct KnownStack {
    std::uintptr_t top;
    void* fake_stack;
};
using Stacks = std::map<std::uintptr_t, KnownStack>;  // by lowest address

Stacks& stacks() {
    static Stacks* known = new Stacks;  // never destroyed: code runs on those stacks until the process ends
    return *known;
}

std::mutex& stacks_mutex() {
    static auto* mutex = new std::mutex;
    return *mutex;
}

// Entries stay where they are; only this CPU uses the one it stands on.
Stacks::value_type& stack_of(std::uintptr_t address) {
    const std::lock_guard guard(stacks_mutex());
    auto after = stacks().upper_bound(address);
    if (after != stacks().begin() && address < std::prev(after)->second.top) return *std::prev(after);
    const StackBounds own = thread_stack();
    return *stacks().insert_or_assign(own.bottom, KnownStack{own.top, nullptr}).first;
}

void remember_stack(std::span<std::byte> stack) {
    __asan_unpoison_memory_region(stack.data(), stack.size());  // frames of whoever ended on it without returning
    const auto bottom = reinterpret_cast<std::uintptr_t>(stack.data());
    const std::lock_guard guard(stacks_mutex());
    stacks().insert_or_assign(bottom, KnownStack{bottom + stack.size(), nullptr});
}
}  // namespace

[[gnu::no_sanitize("address")]] void asan_leave(const void* next_stack_pointer) {
    auto& here = stack_of(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
    auto& next = stack_of(reinterpret_cast<std::uintptr_t>(next_stack_pointer));
    __sanitizer_start_switch_fiber(&here.second.fake_stack, reinterpret_cast<const void*>(next.first),
                                   next.second.top - next.first);
}

[[gnu::no_sanitize("address")]] void asan_arrive() {
    auto& here = stack_of(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
    __sanitizer_finish_switch_fiber(here.second.fake_stack, nullptr, nullptr);
}

void asan_forget_stack(std::span<std::byte> stack) {
    __asan_unpoison_memory_region(stack.data(), stack.size());
    const std::lock_guard guard(stacks_mutex());
    stacks().erase(reinterpret_cast<std::uintptr_t>(stack.data()));
}

void reset_stacks() {
    const auto own = thread_stack().bottom;
    std::erase_if(stacks(), [&](const auto& known) { return known.first != own; });
}
#else
void asan_leave(const void*) {}
void asan_arrive() {}
void asan_forget_stack(std::span<std::byte>) {}
void reset_stacks() {}
#endif

}  // namespace host

Context context_make(std::span<std::byte> stack, ContextEntry entry, void* argument) {
#if defined(__SANITIZE_ADDRESS__)
    host::remember_stack(stack);
#endif
    const auto top = (reinterpret_cast<std::uintptr_t>(stack.data()) + stack.size()) & ~std::uintptr_t{15};
    auto* words = reinterpret_cast<std::uint64_t*>(top) - 3;
    words[0] = 0;
    words[1] = reinterpret_cast<std::uint64_t>(entry);
    words[2] = reinterpret_cast<std::uint64_t>(argument);
    Context context;
    context.stack_pointer = words;
    context.resume = reinterpret_cast<void*>(&exo_host_context_start);
#if defined(__SANITIZE_THREAD__)
    context.fiber = __tsan_create_fiber(0);
#endif
    return context;
}

void context_release([[maybe_unused]] Context& context) {
#if defined(__SANITIZE_THREAD__)
    if (context.fiber) __tsan_destroy_fiber(context.fiber);
#endif
    context = {};
}

std::span<std::byte> map_kernel_stack(PhysAddr block, std::size_t pages, TableFrames&) {
    if (pages < 2) return {};
    std::byte* bottom = phys_to_virt(block);
    if (mprotect(bottom, page_bytes, PROT_NONE) != 0) return {};
    return {bottom + page_bytes, (pages - 1) * page_bytes};
}

void unmap_kernel_stack(std::span<std::byte> stack, PhysAddr block, std::size_t) {
    host::asan_forget_stack(stack);
    if (mprotect(phys_to_virt(block), page_bytes, PROT_READ | PROT_WRITE) != 0) host::fatal("a stack's guard stays");
}

}  // namespace hal
