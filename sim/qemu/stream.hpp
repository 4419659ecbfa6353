// SPDX-License-Identifier: GPL-2.0-or-later
// What the QEMU plugin and exo-dev share: a ring of chunks of 64-bit words in a memfd, and a socket as doorbell.
//
// One producer (under -icount QEMU runs all its CPUs in one thread, in turns), one reader. The producer fills a chunk
// with records and publishes it as a whole; a record never crosses the end of a chunk. When all chunks are full it
// waits: nothing is dropped. Who waits says so in the header, and the other rings by writing one byte to the socket;
// the end of the socket is how each learns of the other's death. The memfd has no name: nothing is left behind.
//
// A word is one of
//   access   one memory access of the instruction that was started last
//   block    a translation block begins to execute. It also says how many instructions were started since the block
//            before it: fewer than that one has when an exception, a device access or a self-modifying store cut it
//            short. QEMU may start an instruction again: see sim/qemu/stream_decoder.hpp.
//   other    a record of several words: the kind, and how many words follow
// Plain C types and functions only: the plugin is built without the C++ library.
#pragma once
#include <stdint.h>

namespace sim::qemu::stream {

constexpr uint64_t magic = 0x3130'6d72'7473'6f78;  // "xostrm01"
constexpr uint32_t chunks = 32, chunk_words = 8192;

struct Header {
    uint64_t magic;
    uint32_t chunks, chunk_words;
    alignas(64) uint64_t published;  // chunks; written by the producer
    uint32_t producer_waits;
    alignas(64) uint64_t consumed;  // chunks; written by the reader
    uint32_t reader_waits;
    alignas(64) uint32_t words[stream::chunks];  // in each published chunk
};
constexpr uint64_t header_bytes = 4096;
static_assert(sizeof(Header) <= header_bytes);
constexpr uint64_t shared_bytes = header_bytes + uint64_t{chunks} * chunk_words * sizeof(uint64_t);

inline uint64_t* chunk_at(Header* header, uint64_t number) {
    return reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(header) + header_bytes) + number % chunks * chunk_words;
}

// The top two bits of a word.
enum class WordKind : uint8_t { other = 0, access = 1, block = 2 };
inline WordKind kind_of(uint64_t word) { return WordKind(word >> 62); }

// --- access: 0..47 virtual address (sign-extended), 48..56 index of the instruction among those started in this block,
// 57..59 log2 of its size, 60 store, 61 device. The page's physical address came in a `page` record before.
constexpr unsigned access_index_shift = 48, access_size_shift = 57, access_store_bit = 60, access_io_bit = 61;
constexpr uint64_t access_index_mask = 0x1ff;

// --- block: 0..31 number of the block, 32..47 instructions started since the block before, 48..55 CPU.
constexpr unsigned block_started_shift = 32, block_cpu_shift = 48;

// --- other: 0..7 kind, 8..31 words that follow, 32..63 (but for the top two bits) as said.
enum class Kind : uint8_t {
    // A block was translated: number | instructions << 32 | CodeWidth << 48; virtual address; where in QEMU's RAM its
    // first byte and its second page are (~0: none or unknown); then the lengths, a byte each, and all code bytes, each
    // padded to whole words.
    code = 1,
    // CPU << 32. A page's translation, for the accesses that follow: virtual page address; physical page address.
    page = 2,
    // index << 32, size << 48, store << 56, device << 57. An access that does not fit the short form (crosses a page:
    // one record a part): virtual address.
    wide_access = 3,
    // vector << 32, CPU << 40. The next block is the handler of an IDT gate: the six words at its stack pointer (error
    // code or not, RIP, CS, RFLAGS, RSP, SS); CR2.
    handler = 4,
    // CPU << 32. The process ends in good order: instructions started since the last block; then the registers of the
    // CPU that ran last, as EndRegister says.
    end = 5,
};

// In which mode a block was translated, as far as CR0 and EFER tell: outside long mode the code is not 64-bit code.
enum class CodeWidth : uint8_t { long_mode = 0, protected_mode = 1, real_mode = 2 };

// 0..15: general registers in QEMU's order (rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8 ...).
enum EndRegister : uint8_t {
    end_rip = 16,
    end_rflags,
    end_cs,
    end_ss,
    end_cr0,
    end_cr2,
    end_cr3,
    end_cr4,
    end_efer,
    end_fs_base,
    end_gs_base,
    end_registers
};
constexpr unsigned other_words_shift = 8, other_value_shift = 32;
constexpr uint64_t other_words_mask = 0xff'ffff;
constexpr uint64_t unknown_address = ~uint64_t{0};
constexpr unsigned frame_words = 6;

// Where both sides keep what `page` records said: by CPU and virtual page.
constexpr unsigned page_slots = 1024, cpus_most = 16;
inline unsigned page_slot(uint64_t address) { return unsigned(address >> 12 ^ address >> 22) % page_slots; }

}  // namespace sim::qemu::stream
