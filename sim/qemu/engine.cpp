// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/qemu/engine.hpp>

#include <cstring>
#include <regs/pc.hpp>
#include <sim/board/text.hpp>
#include <sim/image/image.hpp>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>
#include <sim/qemu/command_line.hpp>
#include <sim/qemu/control.hpp>
#include <sim/qemu/guest_child.hpp>
#include <sim/qemu/stream_decoder.hpp>
#include <sim/qemu/stream_reader.hpp>

namespace sim {

namespace {

using namespace std::chrono_literals;
using qemu::StreamDecoder;
using qemu::StreamReader;

constexpr std::uint64_t ram_below_hole = 0xb000'0000;  // q35: RAM up to here is not split

// One run: the process, its stream and what comes of them.
class QemuRun {
  public:
    QemuRun(const qemu::Program& program, const std::string& plugin, const RunConfig& config)
        : config_(config),
          decoder_(config.events, config.instruction_limit, ram_below_hole),
          child_(command(program, plugin)) {
        reader_.producer_started();
        control_.child_started();
    }

    RunResult run() {
        while (!decoder_.limit_reached() && !stopped()) {
            const auto words = reader_.next(wait_);
            if (nothing_happens(!words.empty())) break;
            if (!words.empty()) {
                decoder_.feed(words);
                reader_.release();
                if (config_.progress) config_.progress->store(decoder_.retired(), std::memory_order_relaxed);
            }
            if (!child_.pump(0ms) && words.empty() && reader_.next(0ms).empty()) break;
        }
        return finish();
    }

    std::shared_ptr<std::deque<CodeBlock>> code_blocks() const { return decoder_.code_blocks(); }

  private:
    Child command(const qemu::Program&, const std::string& plugin);
    RunResult finish();
    bool stopped() const { return config_.stop && config_.stop->load(std::memory_order_relaxed); }
    void judge_end(RunResult&) const;
    void judge_shutdown(RunResult&) const;
    bool nothing_happens(bool words_came);

    using SteadyClock = std::chrono::steady_clock;
    static constexpr auto wait_ = 10ms;  // for the stream, before the console is looked at
    // Of this machine's time. Under the instruction clock a sleeping guest is woken at once, if by anything.
    static constexpr auto boot_limit_ = 120s, sleep_limit_ = 10s, silence_limit_ = 60s;

    const RunConfig& config_;
    TemporaryFolder folder_;
    StreamReader reader_;
    StreamDecoder decoder_;
    qemu::Control control_;
    ChildProcess child_;
    SteadyClock::time_point heard_ = SteadyClock::now();  // when words came last
    bool silent_ = false;
};

Child QemuRun::command(const qemu::Program& program, const std::string& plugin) {
    Child child = qemu::guest_child(program, config_, folder_.path());
    qemu::add_stream(child, plugin, reader_, *config_.image);
    const std::vector<std::string> control = control_.arguments();
    child.arguments.insert(child.arguments.end(), control.begin(), control.end());
    control_.listen(child);
    child.on_output = [this](std::string_view text) {
        if (config_.console) config_.console(text);
    };
    return child;
}

bool QemuRun::nothing_happens(bool words_came) {
    const auto now = SteadyClock::now();
    if (words_came) heard_ = now;
    else silent_ = now - heard_ > (!decoder_.begun() ? boot_limit_ : decoder_.halted() ? sleep_limit_ : silence_limit_);
    return silent_;
}

RunResult QemuRun::finish() {
    RunResult result;
    const bool asleep = silent_ && decoder_.halted();
    if (asleep) decoder_.settle_halt();
    result.instructions = decoder_.retired();
    result.guest_ticks = decoder_.retired();
    result.cpu_instructions = decoder_.cpu_retired();
    result.interrupts_at = decoder_.interrupts_at();
    result.registers = decoder_.registers();
    if (config_.progress) config_.progress->store(result.instructions, std::memory_order_relaxed);
    if (decoder_.limit_reached()) {
        result.stop = StopReason::instruction_limit;
        result.detail = "the limit was reached";
    } else if (stopped()) {
        result.stop = StopReason::interrupted;
        result.detail = "stopped from outside";
    } else if (silent_ && !decoder_.begun()) {
        throw EngineError(config_.image->name() + ": QEMU has not reached the kernel's PVH entry in two minutes");
    } else if (silent_ && !asleep) {
        result.detail = text("QEMU has executed nothing for %lld s", static_cast<long long>(silence_limit_.count()));
    } else if (silent_) {
        result.stop = StopReason::halted_for_ever;
        result.detail = text("HLT, and nothing woke it in %lld s", static_cast<long long>(sleep_limit_.count()));
    } else {
        judge_end(result);
    }
    return result;
}

// QEMU has ended by itself, or was ended by someone else.
void QemuRun::judge_end(RunResult& result) const {
    const ChildResult& end = child_.result();
    const auto retired = static_cast<unsigned long long>(decoder_.retired());
    if (end.signal) {
        result.detail = text("QEMU was ended by signal %d (%s) after %llu instructions", end.signal,
                             strsignal(end.signal), retired);
    } else if (!decoder_.ended()) {
        const std::string why = end.errors.empty() ? "no reason given" : last_lines(end.errors, 3);
        if (!decoder_.begun()) throw EngineError(text("QEMU ended with status %d: ", end.status) + why);
        result.detail = text("QEMU ended with status %d after %llu instructions: ", end.status, retired) + why;
    } else if (!decoder_.begun()) {
        throw EngineError(config_.image->name() + ": QEMU ended before it reached the kernel's PVH entry" +
                          (end.errors.empty() ? "" : ": " + last_lines(end.errors, 3)));
    } else if (end.status % 2 == 1) {  // isa-debug-exit
        result.guest_code = std::uint8_t(end.status / 2);
        const bool good = result.guest_code == regs::debug_exit::success;
        result.stop = good ? StopReason::power_off : StopReason::guest_failed;
        result.detail =
            good ? "the guest switched the power off"
                 : text("the guest switched the power off and reports failure (code %#x)", result.guest_code);
    } else {
        judge_shutdown(result);
    }
}

// With -no-reboot QEMU ends in the same way for a reset and a triple fault: what was executed last tells them apart. Of
// a power-off by ACPI it does not: QEMU runs on for a little.
void QemuRun::judge_shutdown(RunResult& result) const {
    const Instruction* last = decoder_.last_started();
    const std::string at = last ? config_.image->place(last->address) : "an unknown place";
    if (control_.shut_down()) {
        result.stop = StopReason::power_off;
        result.detail = "the guest switched the power off by ACPI";
    } else if (!last || last->special != Special::out) {
        result.stop = StopReason::triple_fault;
        result.detail = "an exception could not be delivered at " + at;
    } else {
        result.stop = StopReason::reset;
        result.detail = text("the guest asked for a reset by port %#x at ", decoder_.last_port()) + at;
    }
}

class QemuEngine final : public Engine {
  public:
    explicit QemuEngine(std::filesystem::path plugin) : program_(qemu::find_program()), plugin_(std::move(plugin)) {
        if (!std::filesystem::exists(plugin_))
            throw EngineError(plugin_.string() + ": QEMU's plugin is not built; ./exo-dev builds it");
        if (plugin_.string().find(',') != std::string::npos)
            throw EngineError(plugin_.string() + ": QEMU cannot load a plugin from a path with a comma");
    }
    std::string name() const override { return "qemu"; }
    std::string version() const override { return program_.version; }
    std::string cpu() const override { return std::string(qemu::default_cpu); }
    Capabilities capabilities() const override {
        return {.exact_interrupts = false,
                .register_values = false,
                .cycle_clock = false,
                .snapshots = false,
                .several_cpus = true};
    }
    RunResult run(const RunConfig& config) override {
        if (!config.image) throw EngineError("there is no kernel image to run");
        try {
            QemuRun run(program_, plugin_.string(), config);
            blocks_.push_back(run.code_blocks());
            return run.run();
        } catch (const ProcessError& error) {
            throw EngineError(error.what());
        }
    }

  private:
    qemu::Program program_;
    std::filesystem::path plugin_;
    std::vector<std::shared_ptr<std::deque<CodeBlock>>> blocks_;  // promised for ever: as long as the engine
};

}  // namespace

std::unique_ptr<Engine> make_qemu_engine(const std::filesystem::path& plugin) {
    return std::make_unique<QemuEngine>(plugin);
}

}  // namespace sim
