// SPDX-License-Identifier: GPL-2.0-or-later
// The producer's end of the stream. No error is survived: QEMU without its reader has nothing to do.
#pragma once
#include <sim/qemu/stream.hpp>

namespace exo_plugin {

class Channel {
  public:
    // False: `why` says what is wrong with the descriptors.
    bool open(int memory, int doorbell, const char*& why);

    void put(uint64_t word) {
        *next_++ = word;
        if (next_ == end_) [[unlikely]]
            publish();
    }
    // Room for a record of so many words, at most a chunk's, which the caller fills in.
    uint64_t* reserve(uint32_t words) {
        if (uint64_t(end_ - next_) < words) publish();
        return next_;
    }
    void commit(uint32_t words) {
        next_ += words;
        if (next_ == end_) publish();
    }
    // Hands over what there is, then waits until there is a free chunk.
    void publish();

  private:
    void begin();
    void wait_for_space(uint64_t published);

    uint64_t *next_ = nullptr, *end_ = nullptr;
    sim::qemu::stream::Header* header_ = nullptr;
    int doorbell_ = -1;
};

}  // namespace exo_plugin
