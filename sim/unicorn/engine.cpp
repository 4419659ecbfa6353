// SPDX-License-Identifier: GPL-2.0-or-later
// The engine that runs in this process, on the Unicorn library.
#include <unicorn/unicorn.h>

#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/unicorn/machine.hpp>

namespace sim {

namespace {

constexpr unsigned oldest_version = 0x020104;  // why: docs/adr/0001-unicorn-version.md

std::string version_text(unsigned version) {
    return text("%u.%u.%u", version >> 24 & 0xff, version >> 16 & 0xff, version >> 8 & 0xff);
}

class UnicornEngine final : public Engine {
  public:
    UnicornEngine() { unicorn::cpu_layout(); }

    std::string name() const override { return "unicorn"; }
    std::string version() const override { return version_text(uc_version(nullptr, nullptr)); }
    std::string cpu() const override { return "EPYC-Rome without AVX (" + cpuid_.brand() + ")"; }
    Capabilities capabilities() const override {
        return {.exact_interrupts = true,
                .register_values = true,
                .cycle_clock = true,
                .snapshots = false,
                .several_cpus = true};
    }

    RunResult run(const RunConfig& config) override {
        const auto machine = std::make_unique<unicorn::Machine>(config, cpuid_);
        blocks_.push_back(machine->blocks());
        return machine->run();
    }

  private:
    unicorn::CpuidTable cpuid_;
    std::vector<std::shared_ptr<std::deque<unicorn::CachedBlock>>> blocks_;  // promised for ever: as long as the engine
};

}  // namespace

std::unique_ptr<Engine> make_unicorn_engine() {
    const unsigned version = uc_version(nullptr, nullptr);
    if (version >> 8 < oldest_version)
        throw EngineError("Unicorn " + version_text(version) +
                          " is too old to run a kernel with paging: 2.1.4 or newer is needed (Debian package "
                          "libunicorn2t64; `exo-dev doctor` shows how it is installed)");
    return std::make_unique<UnicornEngine>();
}

std::string_view name(StopReason reason) {
    switch (reason) {
        case StopReason::power_off:
            return "power-off";
        case StopReason::guest_failed:
            return "guest-failed";
        case StopReason::triple_fault:
            return "triple-fault";
        case StopReason::halted_for_ever:
            return "halted-for-ever";
        case StopReason::instruction_limit:
            return "instruction-limit";
        case StopReason::console_limit:
            return "console-limit";
        case StopReason::interrupted:
            return "interrupted";
        case StopReason::imposed:
            return "imposed";
        case StopReason::window_end:
            return "window-end";
        case StopReason::reset:
            return "reset";
        case StopReason::outside_ram:
            return "outside-ram";
        case StopReason::unsupported:
            return "unsupported";
        case StopReason::engine_error:
            return "engine-error";
    }
    return "unknown";
}

}  // namespace sim
