// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel.hpp"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace exo_plugin {

using namespace sim::qemu::stream;

bool Channel::open(int memory, int doorbell, const char*& why) {
    struct stat about;
    if (fstat(memory, &about) != 0 || uint64_t(about.st_size) != shared_bytes) {
        why = "the shared memory is not what this plugin expects: exo-dev and its plugin are of different versions";
        return false;
    }
    void* mapped = mmap(nullptr, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (mapped == MAP_FAILED) {
        why = "the shared memory cannot be mapped";
        return false;
    }
    header_ = static_cast<Header*>(mapped);
    if (header_->magic != magic || header_->chunks != chunks || header_->chunk_words != chunk_words) {
        why = "the shared memory has another layout: exo-dev and its plugin are of different versions";
        return false;
    }
    doorbell_ = doorbell;
    begin();
    return true;
}

void Channel::begin() {
    next_ = chunk_at(header_, header_->published);
    end_ = next_ + chunk_words;
}

void Channel::publish() {
    const uint64_t number = header_->published;
    const auto words = uint32_t(next_ - chunk_at(header_, number));
    if (words == 0) return;
    header_->words[number % chunks] = words;
    __atomic_store_n(&header_->published, number + 1, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&header_->reader_waits, 0, __ATOMIC_SEQ_CST)) {
        const char ring = 0;
        if (send(doorbell_, &ring, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != EINTR) _exit(1);
    }
    if (number + 1 - __atomic_load_n(&header_->consumed, __ATOMIC_ACQUIRE) >= chunks) wait_for_space(number + 1);
    begin();
}

void Channel::wait_for_space(uint64_t published) {
    const auto full = [&] { return published - __atomic_load_n(&header_->consumed, __ATOMIC_SEQ_CST) >= chunks; };
    while (full()) {
        __atomic_store_n(&header_->producer_waits, 1, __ATOMIC_SEQ_CST);
        if (!full()) break;
        pollfd polled = {doorbell_, POLLIN, 0};
        if (poll(&polled, 1, -1) < 0 && errno != EINTR) _exit(1);
        char rings[64];
        const ssize_t got = recv(doorbell_, rings, sizeof rings, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) _exit(1);  // the reader is gone
    }
    __atomic_store_n(&header_->producer_waits, 0, __ATOMIC_SEQ_CST);
}

}  // namespace exo_plugin
