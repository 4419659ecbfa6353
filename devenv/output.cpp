// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <devenv/output.hpp>

namespace devenv {

namespace {
constexpr std::size_t buffer_bytes = 64 * 1024;
}

void occupy_closed_descriptors() {
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
        if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest free number is given out, so it is this one. "/" is there even where /dev is not.
        if (::open("/dev/null", O_RDONLY) < 0) ::open("/", O_PATH);
    }
}

void Output::write(std::string_view text) {
    written_ = written_ || !text.empty();
    if (!usable()) return;
    buffer_ += text;
    if (buffer_.size() >= buffer_bytes) flush();
}

void Output::flush() {
    std::string_view rest = buffer_;
    while (!rest.empty() && usable()) {
        const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
        if (written >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EPIPE) {
            closed_ = true;
        } else if (errno != EINTR && errno != EAGAIN) {
            error_ = errno;
        }
    }
    buffer_.clear();
}

Output& standard_output() {
    static Output output(STDOUT_FILENO);
    return output;
}

}  // namespace devenv
