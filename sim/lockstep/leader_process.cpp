// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/lockstep/leader_process.hpp>

namespace sim::lockstep {

using namespace std::chrono_literals;

void leader_fails(const std::string& what) { throw EngineError("the leader, QEMU, " + what); }

SharedRam::SharedRam(std::uint64_t bytes) : file_(memfd_create("exo-lockstep-ram", MFD_CLOEXEC)), bytes_(bytes) {
    if (!file_.open() || ftruncate(file_.get(), off_t(bytes)) != 0)
        leader_fails(text("has no memory: %s", strerror(errno)));
    data_ = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file_.get(), 0);
    if (data_ == MAP_FAILED) leader_fails(text("has no memory: %s", strerror(errno)));
}

SharedRam::~SharedRam() { munmap(data_, bytes_); }

Pipe::Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) leader_fails(text("gets no pipe: %s", strerror(errno)));
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
}

LeaderProcess::LeaderProcess(const LeaderConfig& config) : config_(config), ram_(config.ram_bytes) {}

void LeaderProcess::start(const std::vector<std::string>& extra, const std::vector<int>& inherit) {
    qemu::CommandLine line;
    line.cpu = leader_cpu();
    line.ram_bytes = config_.ram_bytes;
    line.kernel = config_.image;
    line.guest_command_line = config_.command_line;
    line.extra = {"-singlestep", "-machine", "memory-backend=ram", "-object",
                  text("memory-backend-file,id=ram,share=on,size=%lluB,mem-path=/proc/self/fd/%d",
                       static_cast<unsigned long long>(config_.ram_bytes), ram_.file())};
    line.extra.insert(line.extra.end(), extra.begin(), extra.end());
    Child child;
    child.arguments = qemu::arguments(line, program_);
    child.inherit = inherit;
    child.inherit.insert(child.inherit.end(), {ram_.file(), states_.write.get()});
    child.on_output = config_.console;
    child.output_limit = 16 << 20;
    child.stop = config_.stop;
    try {
        child_.emplace(std::move(child));
    } catch (const ProcessError& error) {
        throw EngineError(error.what());
    }
    states_.write.close();
}

std::string_view LeaderProcess::read() {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        if (std::chrono::steady_clock::now() > deadline) return silent_ = true, std::string_view{};
        const bool ready = wait_for(states_.read.get());
        if (stopped()) return {};
        if (!ready) continue;
        const ssize_t got = ::read(states_.read.get(), buffer_.data(), buffer_.size());
        if (got < 0 && errno == EINTR) continue;
        return {buffer_.data(), got > 0 ? std::size_t(got) : 0};
    }
}

bool LeaderProcess::wait_for(int descriptor) {
    child_->pump(0ms);
    pollfd polled{descriptor, POLLIN, 0};
    return poll(&polled, 1, 50) > 0;
}

int LeaderProcess::finish(bool end_it) {
    states_.read.close();
    const auto deadline = std::chrono::steady_clock::now() + (end_it ? 0s : 20s);
    while (child_->pump(100ms))
        if (std::chrono::steady_clock::now() > deadline) child_->signal(SIGKILL);
    return child_->result().status;
}

void LeaderProcess::never_came() {
    const ChildResult result = child_->wait();
    leader_fails("ended with status " + std::to_string(result.status) +
                 " before the kernel was entered: " + last_lines(result.errors, 5));
}

}  // namespace sim::lockstep
