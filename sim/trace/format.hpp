// SPDX-License-Identifier: GPL-2.0-or-later
// Format 0 on disk: chunk headers, limits, and the integers everything is made of. traces/README.md is the
// description; this is its code.
#pragma once
#include <cstdint>
#include <cstring>
#include <sim/trace/trace.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sim::format {

inline constexpr std::uint32_t version = 0;
// Of format 0, which is not frozen before 1.0: another is another layout. 1: with causes of waiting and ranges. 2: with
// quantum and RAM.
inline constexpr std::uint32_t revision = 2;
inline constexpr char file_magic[8] = {'E', 'X', 'O', 'T', 'R', 'A', 'C', 'E'};
inline constexpr char trailer_magic[8] = {'E', 'X', 'O', 'T', 'R', 'E', 'N', 'D'};
inline constexpr std::uint32_t chunk_magic = 0x4b435845;  // "EXCK"
inline constexpr std::size_t file_header_bytes = 16, chunk_header_bytes = 64, trailer_bytes = 16;

// Limits that a reader checks before it allocates and a writer keeps.
inline constexpr std::size_t chunk_target_bytes = 1 << 20;  // raw; a chunk ends with the event that reaches it
inline constexpr std::size_t max_raw_bytes = 64 << 20;
inline constexpr std::size_t max_image_bytes = 256 << 20;
inline constexpr std::size_t image_part_bytes = 256 << 10;  // small: all that a damaged place can hide
inline constexpr std::size_t max_plain_accesses = 192;      // of one Block; more are written as runs
inline constexpr std::size_t max_accesses = 1 << 20;        // of one Block; the rest is dropped

enum class ChunkType : std::uint8_t { info = 1, image = 2, code = 3, events = 4, end = 5 };
std::string_view name(ChunkType);

struct ChunkHeader {
    ChunkType type{};
    std::uint32_t stored_bytes = 0;  // of the zstd frame that follows
    std::uint32_t raw_bytes = 0;     // of what it holds
    InstructionIndex first_index = 0;
    Cycle first_cycle = 0;
    std::uint64_t instructions = 0, cycles = 0, placeholder_cycles = 0;  // within this chunk
    std::uint32_t payload_crc = 0;

    void write(std::span<std::uint8_t, chunk_header_bytes>) const;                      // with its own checksum
    static bool read(std::span<const std::uint8_t, chunk_header_bytes>, ChunkHeader&);  // false: damaged
};

// Growing byte string. `room` first, then `put...` without checks.
class Bytes {
  public:
    void room(std::size_t more) {
        if (storage_.size() - used_ < more) storage_.resize((used_ + more) * 2);
    }
    void put(std::uint8_t byte) { storage_[used_++] = byte; }
    void put_varint(std::uint64_t value) {  // LEB128, at most 10 bytes
        while (value >= 0x80) {
            put(static_cast<std::uint8_t>(value | 0x80));
            value >>= 7;
        }
        put(static_cast<std::uint8_t>(value));
    }
    void put_signed(std::int64_t value) { put_varint(zigzag(value)); }

    void add_varint(std::uint64_t value) { room(10), put_varint(value); }
    void add(std::span<const std::uint8_t> bytes) {
        room(bytes.size());
        if (!bytes.empty()) std::memcpy(storage_.data() + used_, bytes.data(), bytes.size());
        used_ += bytes.size();
    }
    void add_string(std::string_view text) {
        add_varint(text.size());
        add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }

    std::size_t size() const { return used_; }
    std::span<const std::uint8_t> span() const { return {storage_.data(), used_}; }
    void clear() { used_ = 0; }

    static std::uint64_t zigzag(std::int64_t value) {
        return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
    }

  private:
    std::vector<std::uint8_t> storage_;
    std::size_t used_ = 0;
};

// Reads what Bytes wrote. Never beyond the end: after the first overrun every read gives 0 and `failed` is true.
class Cursor {
  public:
    Cursor() = default;
    explicit Cursor(std::span<const std::uint8_t> bytes) : next_(bytes.data()), end_(next_ + bytes.size()) {}

    std::uint8_t byte() {
        if (next_ == end_) [[unlikely]]
            return failed_ = true, 0;
        return *next_++;
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 70; shift += 7) {
            std::uint8_t part = byte();
            if (shift < 64) value |= std::uint64_t{part & 0x7fu} << shift;
            if (!(part & 0x80)) return value;
        }
        failed_ = true;
        return 0;
    }
    std::int64_t signed_varint() {
        std::uint64_t value = varint();
        return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
    }
    std::span<const std::uint8_t> bytes(std::uint64_t count) {
        if (count > left()) return failed_ = true, next_ = end_, std::span<const std::uint8_t>{};
        next_ += count;
        return {next_ - count, static_cast<std::size_t>(count)};
    }
    std::string string() {
        auto text = bytes(varint());
        return {text.begin(), text.end()};
    }
    std::size_t left() const { return static_cast<std::size_t>(end_ - next_); }
    bool failed() const { return failed_; }
    void fail() { failed_ = true, next_ = end_; }

  private:
    const std::uint8_t* next_ = nullptr;
    const std::uint8_t* end_ = nullptr;
    bool failed_ = false;
};

void put_info(Bytes&, const TraceInfo&);
TraceInfo get_info(Cursor&);  // check the cursor afterwards
void put_code(Bytes&, const CodeBlock&);
bool get_code(Cursor&, CodeBlock&);  // false: damaged

void put_u32(std::uint8_t* at, std::uint32_t value);
void put_u64(std::uint8_t* at, std::uint64_t value);
std::uint32_t get_u32(const std::uint8_t* at);
std::uint64_t get_u64(const std::uint8_t* at);

}  // namespace sim::format
