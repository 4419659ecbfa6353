// SPDX-License-Identifier: GPL-2.0-or-later
// The reader's end of the stream (sim/qemu/stream.hpp).
#pragma once
#include <chrono>
#include <cstdint>
#include <sim/process/descriptor.hpp>
#include <sim/qemu/stream.hpp>
#include <span>

namespace sim::qemu {

class StreamReader {
  public:
    StreamReader();  // throws EngineError
    ~StreamReader();
    StreamReader(const StreamReader&) = delete;
    StreamReader& operator=(const StreamReader&) = delete;

    // What the producer's process inherits. Closed here once it has been started.
    int memory() const { return memory_.get(); }
    int producer_doorbell() const { return theirs_.get(); }
    void producer_started() { theirs_.close(); }

    // The next published chunk; empty if there is none after waiting so long. Valid until release().
    std::span<const std::uint64_t> next(std::chrono::milliseconds wait);
    void release();  // the chunk that next() gave may be written over

  private:
    std::uint64_t published() const;
    void wait_for_doorbell(std::chrono::milliseconds);

    Descriptor memory_, ours_, theirs_;
    stream::Header* header_ = nullptr;
    std::uint64_t consumed_ = 0;
};

}  // namespace sim::qemu
