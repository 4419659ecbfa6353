// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <sim/qemu/control.hpp>

namespace sim::qemu {

// The greeting of our end is in the socket before QEMU starts.
Control::Control() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw ProcessError(std::string("no socket for QEMU's control protocol: ") + std::strerror(errno));
    ours_ = Descriptor(ends[0]);
    theirs_ = Descriptor(ends[1]);
    constexpr std::string_view hello = "{\"execute\":\"qmp_capabilities\"}\n";
    if (write(ours_.get(), hello.data(), hello.size()) < 0) throw ProcessError("QEMU's control socket is full");
}

std::vector<std::string> Control::arguments() const {
    return {"-chardev", "socket,id=control,fd=" + std::to_string(theirs_.get()), "-mon",
            "chardev=control,mode=control"};
}

void Control::listen(Child& child) {
    child.inherit.push_back(theirs_.get());
    child.also_read.emplace_back(ours_.get(), [this](std::string_view text) {
        if (events_.size() < events_most_) events_ += text;
    });
}

}  // namespace sim::qemu
