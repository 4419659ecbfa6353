// SPDX-License-Identifier: MIT
// System-call numbers, error codes and the register convention: the ABI between ring 3 and the kernel.
//
// Convention (SYSCALL, APM2 6.1.1): rax = number; arguments in rdi, rsi, rdx, r10, r8, r9. On return rax holds the
// result (>= 0) or a negated Error. `call` and `reply_and_wait` also return a message in rsi, rdx, r10, r8; every
// other argument register comes back unchanged. rcx and r11 are destroyed.
#pragma once
#include <cstdint>

namespace exo::abi {

enum class Syscall : std::uint64_t {
    identity = 0,   // () -> process id
    console_write,  // (const char* text, bytes) -> bytes written; at most console_write_limit a call
    yield,          // () -> 0; lets another runnable thread of this or a higher priority run
    exit,           // (status) -> never returns; the process ends with its last thread
    spawn,  // (const char* name, name_bytes, const Handle* grants, count, argument) -> process handle; shares the quota
    ring_create,      // (slots: power of two, 1..ring_slots_limit) -> ring handle with both ends
    ring_map,         // (ring, RingEnd, RingMapping* out) -> 0; maps this end's pages into the caller
    endpoint_create,  // () -> endpoint handle
    call,             // (endpoint, m0, m1, m2, m3 (r8), deadline_ns (r9)) -> 0 and the reply in rsi, rdx, r10, r8
    reply_and_wait,   // (endpoint, m0, m1, m2, m3 (r8), deadline_ns (r9)) -> caller's badge and its message
    wait,             // (object: ring, process or no_handle, deadline_ns) -> WaitReason; a process that ended: dead
    wake,             // (ring) -> number of threads woken; wakes who waits on the ring's other end
    duplicate,        // (handle, rights) -> handle with rights that are a subset of the original's
    close,            // (handle) -> 0
    now,              // () -> nanoseconds since boot
    process_status,   // (process) -> status_running, or the exit status's low 32 bits, with status_killed if it was
    count
};

enum class Error : std::int64_t {
    not_implemented = 1,  // unknown system call number
    bad_handle,           // no such handle, wrong type of object, or a stale generation
    no_right,             // the handle lacks the right this call needs
    bad_address,          // a pointer is outside user memory, unmapped, or not accessible that way
    bad_argument,         // a value is out of its stated range
    no_memory,            // out of frames, quota or table space
    not_found,            // no program of that name in the archive
    timeout,              // the deadline passed
    peer_dead,            // the process at the other end has ended
    busy,                 // that ring end is mapped already, or the endpoint has a waiting server
};

// Why a wait ended.
enum class WaitReason : std::uint64_t { woken = 0, timeout = 1, interrupted = 2, dead = 3 };

using Handle = std::uint32_t;  // index in the low 16 bits, generation in the high 16; zero-extended in a register
inline constexpr Handle no_handle = 0xffff'ffff;

enum Rights : std::uint32_t {
    right_produce = 1u << 0,    // ring: map the producer's end, wake the consumer
    right_consume = 1u << 1,    // ring: map the consumer's end, wake the producer
    right_call = 1u << 2,       // endpoint: call
    right_serve = 1u << 3,      // endpoint: reply_and_wait
    right_wait = 1u << 4,       // process: wait for its end
    right_duplicate = 1u << 5,  // may be duplicated and granted to a child
    right_all = (1u << 6) - 1,
};

inline constexpr std::int64_t status_running = std::int64_t{1} << 33;
inline constexpr std::int64_t status_killed = std::int64_t{1} << 32;

inline constexpr std::uint64_t no_deadline = ~std::uint64_t{0};
inline constexpr std::uint64_t console_write_limit = 4096;  // bytes a call
inline constexpr std::uint64_t spawn_grants_limit = 8;      // handles a child can be given
inline constexpr std::uint64_t program_name_limit = 32;     // bytes

}  // namespace exo::abi
