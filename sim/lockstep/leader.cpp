// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/lockstep/leader.hpp>
#include <sim/lockstep/leader_process.hpp>
#include <sim/lockstep/wire.hpp>

namespace sim::lockstep {

namespace {

class PluginLeader final : public Leader {
  public:
    explicit PluginLeader(const LeaderConfig& config) : qemu_(config) {
        qemu_.start(
            {"-plugin", config.plugin.string() + text(",pipe=%d,answer=%d,entry=%llx", qemu_.pipe(), answer_.read.get(),
                                                      static_cast<unsigned long long>(config.entry))},
            {answer_.read.get()});
        answer_.read.close();
    }

    void enter() override {
        Hello hello;
        if (!take(&hello, sizeof hello)) {
            if (qemu_.stopped()) return;
            try {
                qemu_.never_came();
            } catch (const EngineError& error) {
                if (std::string_view(error.what()).find("plugin") != std::string_view::npos)
                    throw CannotTell(error.what());
                throw;
            }
        }
        if (hello.magic != Hello::expected || hello.words != state_words)
            leader_fails("has a plugin of another build: ninja exo_lockstep_plugin");
        if (hello.problem[0])
            throw CannotTell(
                text("the leader, QEMU, cannot lead by its plugin: %s. Debian 12's qemu-system-x86 7.2 can; "
                     "--states log needs no plugin",
                     hello.problem));
    }

    std::span<const std::uint8_t> ram() const override { return qemu_.ram().bytes(); }

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

    int finish(bool end_it) override { return qemu_.finish(end_it); }
    bool silent() const override { return qemu_.silent(); }
    std::string name() const override { return qemu_.name(); }
    std::string errors() const override { return qemu_.errors(); }

  private:
    // False: the pipe has ended, or `stop` was set.
    bool take(void* to, std::size_t bytes) {
        auto* at = static_cast<std::uint8_t*>(to);
        while (bytes) {
            if (rest_.empty() && (rest_ = qemu_.read()).empty()) return false;
            const std::size_t count = std::min(bytes, rest_.size());
            std::memcpy(at, rest_.data(), count);
            rest_.remove_prefix(count), at += count, bytes -= count;
        }
        return true;
    }

    LeaderProcess qemu_;
    Pipe answer_;
    bool answered_ = false;
    ArchitecturalState state_{};
    std::string_view rest_;
};

}  // namespace

std::unique_ptr<Leader> make_qemu_leader(const LeaderConfig& config) { return std::make_unique<PluginLeader>(config); }

std::string leader_cpu() {
    // What Unicorn runs as EPYC-Rome (sim/unicorn/cpuid.cpp), of what QEMU's TCG has of it.
    return "EPYC-Rome,-avx,-avx2,-fma,-f16c,-umip,-rdrand,-rdseed,-rdpid,-sha-ni,-xsavec,-xsaves,-xgetbv1,-clzero,"
           "-wbnoinvd,-svm,-monitor,-fxsr-opt,-misalignsse,-3dnowprefetch,-osvw,-topoext,-perfctr-core,-xsaveerptr,"
           "-ibpb,-amd-stibp,-nrip-save,-npt";
}

}  // namespace sim::lockstep
