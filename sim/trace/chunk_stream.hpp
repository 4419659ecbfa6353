// SPDX-License-Identifier: GPL-2.0-or-later
// Chunks on their way to the file: compressed, checksummed and written by a thread of its own behind a short queue, in
// the order they came, so that the bytes do not depend on timing. A failed write stops the stream, not its caller.
#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <sim/trace/format.hpp>
#include <sim/trace/trace_file.hpp>
#include <thread>

namespace sim::format {

struct ChunkPlace {
    ChunkType type;
    std::uint64_t offset;
    InstructionIndex first_index;
};

class ChunkStream {
  public:
    ChunkStream(std::filesystem::path target, int level);  // throws TraceError
    ~ChunkStream();                                        // unpublished: nothing remains

    // Queues a chunk and leaves an empty payload in its place. Blocks while the queue is full. After a failure it
    // drops the chunk. sizes and checksum of the header are filled in here.
    void submit(ChunkHeader, Bytes& payload);
    // Waits until everything queued is written or failed. No submit() after that.
    void drain();

    // After drain():
    const std::string& failure() const { return failure_; }  // empty: none
    std::uint64_t instructions_written() const { return instructions_written_; }
    const std::vector<ChunkPlace>& places() const { return places_; }
    TraceFile& file() { return file_; }
    // Writes a chunk from the calling thread. Empty or the cause.
    std::string write_now(ChunkHeader, std::span<const std::uint8_t> payload);

  private:
    struct Job {
        ChunkHeader header;
        Bytes payload;
    };
    void work();
    static constexpr std::size_t queue_limit = 4;

    TraceFile file_;
    int level_;
    void* compressor_ = nullptr;  // ZSTD_CCtx
    std::vector<std::uint8_t> compressed_;
    std::vector<ChunkPlace> places_;
    std::string failure_;
    std::uint64_t instructions_written_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> queue_;
    std::vector<Bytes> spare_;
    bool closing_ = false, failed_ = false;
    std::thread thread_;
};

}  // namespace sim::format
