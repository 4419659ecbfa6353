// SPDX-License-Identifier: GPL-2.0-or-later
// The leader without a plugin: its debugging stub stops it at the kernel's entry, where its RAM is copied and its log
// is switched on; from there on the log tells the states.
#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/lockstep/debug_stub.hpp>
#include <sim/lockstep/leader_process.hpp>
#include <sim/lockstep/state_log.hpp>

namespace sim::lockstep {

namespace {

using Clock = std::chrono::steady_clock;
struct Stopped {};  // `stop` was set while the stub was waited for

class LogLeader final : public Leader {
  public:
    explicit LogLeader(const LeaderConfig& config) : entry_(config.entry), qemu_(config) {
        qemu_.start({"-S", "-D", text("/proc/self/fd/%d", qemu_.pipe()), "-chardev",
                     text("socket,id=stub,fd=%d", stub_.far_end()), "-gdb", "chardev:stub"},
                    {stub_.far_end()});
        stub_.started();
    }

    void enter() override {
        try {
            expect(text("Z1,%llx,1", static_cast<unsigned long long>(entry_)), "OK");
            expect("c", "T05");
        } catch (const Stopped&) {
        }
    }

    std::span<const std::uint8_t> ram() const override { return qemu_.ram().bytes(); }

    bool next(ArchitecturalState& state) override {
        try {
            if (!logging_) begin_log();
            return log_.next(state);
        } catch (const Stopped&) {
            return false;
        }
    }

    int finish(bool end_it) override { return qemu_.finish(end_it); }
    bool silent() const override { return qemu_.silent(); }
    std::string name() const override { return qemu_.name(); }
    std::string errors() const override { return qemu_.errors(); }
    void complete(ArchitecturalState& told, const ArchitecturalState& other) const override {
        StateLog::complete(told, other);
    }
    std::string_view states() const override { return "log"; }
    std::string_view not_compared() const override {
        return "outside of 64-bit code R8-R15, XMM8-XMM15 and the upper halves of the other registers";
    }

  private:
    void begin_log() {
        logging_ = true;
        deadline_ = Clock::now() + LeaderProcess::patience;
        if (!stub_.monitor("log exec,cpu,fpu,nochain")) leader_fails("does not switch its log on");
        expect("D", "OK");  // takes the breakpoint away, too
    }

    void expect(const std::string& packet, std::string_view answer) {
        deadline_ = Clock::now() + LeaderProcess::patience;
        const std::string got = stub_.ask(packet);
        if (got.starts_with(answer)) return;
        if (got.empty() || got.starts_with("W")) qemu_.never_came();
        leader_fails(text("answers '%s' to its debugger's '%s'", got.c_str(), packet.c_str()));
    }

    bool wait_for(int descriptor) {
        if (qemu_.stopped()) throw Stopped{};
        if (Clock::now() > deadline_) leader_fails("has not come to the kernel's entry in a minute");
        return qemu_.wait_for(descriptor);
    }

    const std::uint64_t entry_;
    LeaderProcess qemu_;
    DebugStub stub_{[this](int descriptor) { return wait_for(descriptor); }};
    StateLog log_{[this] { return qemu_.read(); }};
    Clock::time_point deadline_{};
    bool logging_ = false;
};

// The plugin if it can tell, else the log. Which, enter() finds out.
class LeaderWithFallback final : public Leader {
  public:
    LeaderWithFallback(const LeaderConfig& config, std::function<void(std::string_view)> notice)
        : config_(config), notice_(std::move(notice)), leader_(make_qemu_leader(config)) {}

    void enter() override {
        try {
            leader_->enter();
            return;
        } catch (const CannotTell& error) {
            why_ = error.what();
        }
        leader_->finish(true);
        leader_ = make_log_leader(config_);
        if (notice_) notice_(why_ + "; the states come from QEMU's log now");
        leader_->enter();
    }
    std::span<const std::uint8_t> ram() const override { return leader_->ram(); }
    bool next(ArchitecturalState& state) override { return leader_->next(state); }
    bool silent() const override { return leader_->silent(); }
    int finish(bool end_it) override { return leader_->finish(end_it); }
    std::string name() const override { return leader_->name(); }
    std::string errors() const override { return leader_->errors(); }
    void complete(ArchitecturalState& told, const ArchitecturalState& other) const override {
        leader_->complete(told, other);
    }
    std::string_view states() const override { return leader_->states(); }
    std::string_view not_compared() const override { return leader_->not_compared(); }
    std::string fallback() const override { return why_; }

  private:
    const LeaderConfig config_;
    const std::function<void(std::string_view)> notice_;
    std::unique_ptr<Leader> leader_;
    std::string why_;
};

}  // namespace

std::unique_ptr<Leader> make_log_leader(const LeaderConfig& config) { return std::make_unique<LogLeader>(config); }

std::unique_ptr<Leader> make_leader_with_fallback(const LeaderConfig& config,
                                                  std::function<void(std::string_view)> notice) {
    return std::make_unique<LeaderWithFallback>(config, std::move(notice));
}

}  // namespace sim::lockstep
