// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <numeric>
#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/lockstep/debug_stub.hpp>

namespace sim::lockstep {

namespace {

std::string checksum(std::string_view payload) {
    const unsigned sum = std::accumulate(payload.begin(), payload.end(), 0u,
                                         [](unsigned total, char c) { return total + static_cast<unsigned char>(c); });
    return text("%02x", sum & 0xff);
}

constexpr std::size_t packet_most = 16 << 10;

}  // namespace

DebugStub::DebugStub(Wait wait) : wait_(std::move(wait)) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw EngineError(text("the leader, QEMU, gets no socket: %s", strerror(errno)));
    ours_ = Descriptor(ends[0]);
    theirs_ = Descriptor(ends[1]);
}

bool DebugStub::send(std::string_view bytes) {
    return ::send(ours_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == ssize_t(bytes.size());
}

// "$payload#checksum", with acknowledgements of our packets ('+') before it.
std::string DebugStub::receive() {
    std::string all;
    while (all.size() < packet_most) {
        const auto begin = all.find('$'), end = all.find('#');
        if (begin != all.npos && end != all.npos && end > begin && end + 2 < all.size()) {
            const std::string payload = all.substr(begin + 1, end - begin - 1);
            if (all.substr(end + 1, 2) != checksum(payload) || !send("+")) return {};
            return payload;
        }
        if (!wait_(ours_.get())) continue;
        char bytes[512];
        const ssize_t got = recv(ours_.get(), bytes, sizeof bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return {};
        all.append(bytes, std::size_t(got));
    }
    return {};
}

std::string DebugStub::ask(std::string_view packet) {
    return send("$" + std::string(packet) + "#" + checksum(packet)) ? receive() : std::string{};
}

bool DebugStub::monitor(std::string_view command) {
    std::string packet = "qRcmd,";
    for (const char c : command) packet += text("%02x", unsigned(static_cast<unsigned char>(c)));
    return ask(packet) == "OK";
}

}  // namespace sim::lockstep
