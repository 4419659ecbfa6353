// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/lockstep/leader.hpp>
#include <sim/lockstep/wire.hpp>
#include <sim/process/child.hpp>
#include <sim/qemu/command_line.hpp>
#include <vector>

namespace sim::lockstep {

namespace {

using namespace std::chrono_literals;

[[noreturn]] void fail(const std::string& what) { throw EngineError("the leader, QEMU, " + what); }

// RAM that both processes see, without a file's name.
class SharedRam {
  public:
    explicit SharedRam(std::uint64_t bytes) : file_(memfd_create("exo-lockstep-ram", MFD_CLOEXEC)), bytes_(bytes) {
        if (!file_.open() || ftruncate(file_.get(), off_t(bytes)) != 0)
            fail(text("has no memory: %s", strerror(errno)));
        data_ = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file_.get(), 0);
        if (data_ == MAP_FAILED) fail(text("has no memory: %s", strerror(errno)));
    }
    ~SharedRam() { munmap(data_, bytes_); }
    SharedRam(const SharedRam&) = delete;
    SharedRam& operator=(const SharedRam&) = delete;
    int file() const { return file_.get(); }
    std::span<const std::uint8_t> bytes() const { return {static_cast<const std::uint8_t*>(data_), bytes_}; }

  private:
    Descriptor file_;
    std::uint64_t bytes_;
    void* data_;
};

struct Pipe {
    Descriptor read, write;
    Pipe() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) fail(text("gets no pipe: %s", strerror(errno)));
        read = Descriptor(ends[0]);
        write = Descriptor(ends[1]);
    }
};

class QemuLeader final : public Leader {
  public:
    explicit QemuLeader(const LeaderConfig& config) : config_(config), ram_(config.ram_bytes) {
        Child child;
        child.arguments = arguments();
        child.inherit = {ram_.file(), states_.write.get(), answer_.read.get()};
        child.on_output = config.console;
        child.output_limit = 16 << 20;
        child.stop = config.stop;
        try {
            child_.emplace(std::move(child));
        } catch (const ProcessError& error) {
            throw EngineError(error.what());
        }
        states_.write.close();
        answer_.read.close();
    }

    void enter() override {
        Hello hello;
        if (!take(&hello, sizeof hello)) {
            const ChildResult result = child_->wait();
            if (stopped()) return;
            fail("ended with status " + std::to_string(result.status) +
                 " before the kernel was entered: " + last_lines(result.errors, 5));
        }
        if (hello.magic != Hello::expected || hello.words != state_words)
            fail("has a plugin of another build: ninja exo_lockstep_plugin");
        if (hello.problem[0]) fail(text("cannot lead: %s. Debian 12's qemu-system-x86 7.2 can", hello.problem));
    }

    std::span<const std::uint8_t> ram() const override { return ram_.bytes(); }

    bool next(ArchitecturalState& state) override {
        if (!answered_) {
            const char go = 1;
            answered_ = true;
            if (write(answer_.write.get(), &go, 1) != 1) return false;
        }
        std::uint64_t masks[mask_words];
        if (!take(masks, sizeof masks)) return false;
        auto* words = reinterpret_cast<std::uint64_t*>(&state_);
        for (std::size_t part = 0; part < mask_words; ++part) {
            std::uint64_t changed[64];
            if (!take(changed, std::size_t(std::popcount(masks[part])) * 8)) return false;
            const std::uint64_t* value = changed;
            for (std::uint64_t left = masks[part]; left; left &= left - 1) {
                const std::size_t word = part * 64 + std::size_t(std::countr_zero(left));
                if (word >= state_words) return false;
                words[word] = *value++;
            }
        }
        state = state_;
        return true;
    }

    int finish(bool end_it) override {
        states_.read.close();
        const auto deadline = std::chrono::steady_clock::now() + (end_it ? 0s : 20s);
        while (child_->pump(100ms))
            if (std::chrono::steady_clock::now() > deadline) child_->signal(SIGKILL);
        return child_->result().status;
    }

    bool silent() const override { return silent_; }
    std::string name() const override { return "qemu " + program_.version; }
    std::string errors() const override { return child_->result().errors; }

  private:
    std::vector<std::string> arguments() const {
        qemu::CommandLine line;
        line.cpu = leader_cpu();
        line.ram_bytes = config_.ram_bytes;
        line.kernel = config_.image;
        line.guest_command_line = config_.command_line;
        line.extra = {
            "-singlestep",
            "-machine",
            "memory-backend=ram",
            "-object",
            text("memory-backend-file,id=ram,share=on,size=%lluB,mem-path=/proc/self/fd/%d",
                 static_cast<unsigned long long>(config_.ram_bytes), ram_.file()),
            "-plugin",
            config_.plugin.string() + text(",pipe=%d,answer=%d,entry=%llx", states_.write.get(), answer_.read.get(),
                                           static_cast<unsigned long long>(config_.entry))};
        return qemu::arguments(line, program_);
    }

    bool stopped() const { return config_.stop && config_.stop->load(std::memory_order_relaxed); }

    // False: the pipe has ended, or `stop` was set.
    bool take(void* to, std::size_t bytes) {
        auto* at = static_cast<std::uint8_t*>(to);
        while (bytes) {
            if (taken_ == filled_ && !fill()) return false;
            const std::size_t count = std::min(bytes, filled_ - taken_);
            std::memcpy(at, buffer_.data() + taken_, count);
            taken_ += count, at += count, bytes -= count;
        }
        return true;
    }

    bool fill() {
        const auto deadline = std::chrono::steady_clock::now() + 60s;
        for (;;) {
            if (std::chrono::steady_clock::now() > deadline) return silent_ = true, false;
            child_->pump(0ms);
            if (stopped()) return false;
            pollfd polled{states_.read.get(), POLLIN, 0};
            if (poll(&polled, 1, 50) == 0) continue;
            const ssize_t got = read(states_.read.get(), buffer_.data(), buffer_.size());
            if (got < 0 && errno == EINTR) continue;
            taken_ = 0, filled_ = got > 0 ? std::size_t(got) : 0;
            return got > 0;
        }
    }

    const LeaderConfig config_;
    const qemu::Program program_ = qemu::find_program();
    SharedRam ram_;
    Pipe states_, answer_;
    std::optional<ChildProcess> child_;
    bool answered_ = false, silent_ = false;
    ArchitecturalState state_{};
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(256 << 10);
    std::size_t taken_ = 0, filled_ = 0;
};

}  // namespace

std::unique_ptr<Leader> make_qemu_leader(const LeaderConfig& config) { return std::make_unique<QemuLeader>(config); }

std::string leader_cpu() {
    // What Unicorn runs as EPYC-Rome (sim/unicorn/cpuid.cpp), of what QEMU's TCG has of it.
    return "EPYC-Rome,-avx,-avx2,-fma,-f16c,-umip,-rdrand,-rdseed,-rdpid,-sha-ni,-xsavec,-xsaves,-xgetbv1,-clzero,"
           "-wbnoinvd,-svm,-monitor,-fxsr-opt,-misalignsse,-3dnowprefetch,-osvw,-topoext,-perfctr-core,-xsaveerptr,"
           "-ibpb,-amd-stibp,-nrip-save,-npt";
}

}  // namespace sim::lockstep
