// SPDX-License-Identifier: MIT
// What the compiler calls by name: memory functions, the stack guard, static destructors (never run) and pure virtual
// functions (never reached).
#include <cstddef>
#include <cstdint>

extern "C" {

[[noreturn]] void kernel_stack_smashed();  // the kernel's

// Seeded by hal_start; the low byte stays zero so that a string overrun cannot reproduce it.
constinit std::uintptr_t __stack_chk_guard = 0x595e'9fbd'94fd'a700;
[[noreturn]] void __stack_chk_fail() { kernel_stack_smashed(); }

void* __dso_handle = nullptr;
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
[[noreturn]] void __cxa_pure_virtual() { __builtin_trap(); }

void* memcpy(void* __restrict to, const void* __restrict from, std::size_t bytes) {
    void* result = to;
    std::size_t words = bytes / 8, rest = bytes % 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest)::"memory");
    return result;
}

void* memmove(void* to, const void* from, std::size_t bytes) {
    if (std::uintptr_t(to) - std::uintptr_t(from) >= bytes) return memcpy(to, from, bytes);
    // The destination starts inside the source: from the end down.
    auto* last_to = static_cast<std::byte*>(to) + bytes - 1;
    const auto* last_from = static_cast<const std::byte*>(from) + bytes - 1;
    asm volatile("std\n\trep movsb\n\tcld" : "+D"(last_to), "+S"(last_from), "+c"(bytes)::"memory", "cc");
    return to;
}

void* memset(void* to, int value, std::size_t bytes) {
    void* result = to;
    const std::uint64_t pattern = 0x0101'0101'0101'0101 * std::uint8_t(value);
    std::size_t words = bytes / 8, rest = bytes % 8;
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return result;
}

int memcmp(const void* a, const void* b, std::size_t bytes) {
    const auto* x = static_cast<const volatile unsigned char*>(a);  // volatile: or GCC makes this a call to memcmp
    const auto* y = static_cast<const volatile unsigned char*>(b);
    for (std::size_t i = 0; i < bytes; ++i) {
        const int difference = x[i] - y[i];
        if (difference != 0) return difference;
    }
    return 0;
}

const void* memchr(const void* in, int value, std::size_t bytes) {
    const auto* at = static_cast<const unsigned char*>(in);
    for (std::size_t i = 0; i < bytes; ++i)
        if (at[i] == static_cast<unsigned char>(value)) return at + i;
    return nullptr;
}

std::size_t strlen(const char* text) {
    const volatile char* end = text;
    while (*end) ++end;
    return std::size_t(end - text);
}

}  // extern "C"

// Library headers call these for a contract that was broken: our own bug.
namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char*, ...) { __builtin_trap(); }
[[noreturn]] void __throw_length_error(const char*) { __builtin_trap(); }
[[noreturn]] void __throw_logic_error(const char*) { __builtin_trap(); }
[[noreturn]] void __throw_bad_optional_access() { __builtin_trap(); }
}  // namespace std
