// SPDX-License-Identifier: MIT
// Linux's ways to hand over 64 bytes: a pair of pipes or of unix sockets, and an echoing thread on the same CPU.
#pragma once
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <thread>

namespace bench {

using Message = std::array<std::uint64_t, 8>;

inline std::uint64_t sum(const Message& message) {
    std::uint64_t total = 0;
    for (const std::uint64_t word : message) total += word;
    return total;
}
inline Message message_of(std::uint64_t i) { return {i, i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7}; }
// What `count` messages message_of(0..count-1) add up to.
inline std::uint64_t sum_of_messages(std::uint64_t count) { return count * (count - 1) / 2 * 8 + 28 * count; }

enum class Kind : std::uint8_t { pipe, unix_socket };

// One direction.
class Channel {
  public:
    explicit Channel(Kind kind) {
        const int failed = kind == Kind::pipe ? ::pipe(ends_) : socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends_);
        if (failed) throw std::runtime_error("no pipe or socket pair");
    }
    ~Channel() {
        close_writer();
        close(ends_[0]);
    }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    bool send(const Message& m) { return write(ends_[1], &m, sizeof m) == sizeof m; }
    bool receive(Message& m) { return read(ends_[0], &m, sizeof m) == sizeof m; }
    void close_writer() {
        if (ends_[1] >= 0) close(ends_[1]);
        ends_[1] = -1;
    }

  private:
    int ends_[2];
};

// A thread that sends back what it gets, each word one more.
class Echo {
  public:
    explicit Echo(Kind kind) : there_(kind), back_(kind), thread_([this] { serve(); }) {}
    ~Echo() {
        there_.close_writer();
        thread_.join();
    }
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;
    std::uint64_t run(std::uint64_t rounds) {
        std::uint64_t total = 0;
        Message m;
        for (std::uint64_t i = 0; i < rounds; ++i)
            if (there_.send(message_of(i)) && back_.receive(m)) total += sum(m);
        return total;
    }

  private:
    void serve() {
        Message m;
        while (there_.receive(m)) {
            for (std::uint64_t& word : m) ++word;
            if (!back_.send(m)) return;
        }
    }
    Channel there_, back_;
    std::thread thread_;
};

}  // namespace bench
