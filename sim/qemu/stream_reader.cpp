// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sim/engine.hpp>
#include <sim/qemu/stream_reader.hpp>
#include <string>

namespace sim::qemu {

namespace {
[[noreturn]] void fail(const char* what) {
    throw EngineError(std::string("the stream from QEMU cannot be set up: ") + what + ": " + std::strerror(errno));
}
}  // namespace

StreamReader::StreamReader() {
    memory_ = Descriptor(memfd_create("exo-qemu-stream", MFD_CLOEXEC));
    if (!memory_.open() || ftruncate(memory_.get(), stream::shared_bytes) != 0) fail("shared memory");
    void* mapped = mmap(nullptr, stream::shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
    if (mapped == MAP_FAILED) fail("shared memory");
    header_ = static_cast<stream::Header*>(mapped);
    header_->magic = stream::magic;
    header_->chunks = stream::chunks;
    header_->chunk_words = stream::chunk_words;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        munmap(header_, stream::shared_bytes);
        fail("socket");
    }
    ours_ = Descriptor(ends[0]);
    theirs_ = Descriptor(ends[1]);
}

StreamReader::~StreamReader() { munmap(header_, stream::shared_bytes); }

std::uint64_t StreamReader::published() const { return __atomic_load_n(&header_->published, __ATOMIC_SEQ_CST); }

std::span<const std::uint64_t> StreamReader::next(std::chrono::milliseconds wait) {
    if (published() == consumed_) {
        if (wait.count() == 0) return {};
        __atomic_store_n(&header_->reader_waits, 1, __ATOMIC_SEQ_CST);
        if (published() == consumed_) wait_for_doorbell(wait);
        __atomic_store_n(&header_->reader_waits, 0, __ATOMIC_SEQ_CST);
        if (published() == consumed_) return {};
    }
    const std::uint32_t words = std::min(header_->words[consumed_ % stream::chunks], stream::chunk_words);
    return {stream::chunk_at(header_, consumed_), words};
}

void StreamReader::release() {
    __atomic_store_n(&header_->consumed, ++consumed_, __ATOMIC_SEQ_CST);
    if (!__atomic_exchange_n(&header_->producer_waits, 0, __ATOMIC_SEQ_CST)) return;
    const char ring = 0;
    [[maybe_unused]] const ssize_t sent = send(ours_.get(), &ring, 1, MSG_NOSIGNAL | MSG_DONTWAIT);  // gone: seen later
}

void StreamReader::wait_for_doorbell(std::chrono::milliseconds wait) {
    pollfd polled = {ours_.get(), POLLIN, 0};
    if (poll(&polled, 1, static_cast<int>(wait.count())) <= 0) return;
    char rings[64];
    if (recv(ours_.get(), rings, sizeof rings, MSG_DONTWAIT) == 0) usleep(1000);  // the producer is gone: no hurry
}

}  // namespace sim::qemu
