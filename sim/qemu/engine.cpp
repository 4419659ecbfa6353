// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/qemu/engine.hpp>

#include <fstream>
#include <regs/pc.hpp>
#include <sim/board/text.hpp>
#include <sim/image/image.hpp>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>
#include <sim/qemu/command_line.hpp>
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
    }

    RunResult run() {
        while (!decoder_.limit_reached() && !stopped()) {
            const auto words = reader_.next(wait_);
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

    static constexpr auto wait_ = 10ms;  // for the stream, before the console is looked at

    const RunConfig& config_;
    TemporaryFolder folder_;
    StreamReader reader_;
    StreamDecoder decoder_;
    ChildProcess child_;
};

Child QemuRun::command(const qemu::Program& program, const std::string& plugin) {
    const std::filesystem::path kernel = folder_.path() / "kernel.elf";
    std::ofstream file(kernel, std::ios::binary);
    const auto bytes = config_.image->bytes();
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) throw EngineError(kernel.string() + ": cannot be written; is the disk full?");
    const auto entry = config_.image->pvh_entry();
    if (!entry) throw EngineError(config_.image->name() + ": has no PVH note, by which QEMU would start it");
    const std::string load = plugin + text(",memory=%d,doorbell=%d,entry=%#llx", reader_.memory(),
                                           reader_.producer_doorbell(), static_cast<unsigned long long>(*entry));
    return {.arguments = qemu::arguments({.cpus = config_.cpus,
                                          .ram_bytes = config_.ram_bytes,
                                          .kernel = kernel,
                                          .guest_command_line = config_.command_line,
                                          .extra = {"-plugin", load}},
                                         program),
            .on_output =
                [this](std::string_view text) {
                    if (config_.console) config_.console(text);
                },
            .inherit = {reader_.memory(), reader_.producer_doorbell()},
            .private_folder = folder_.path()};
}

RunResult QemuRun::finish() {
    RunResult result;
    if (decoder_.limit_reached()) {
        result.stop = StopReason::instruction_limit;
        result.detail = "the limit was reached";
    } else if (stopped()) {
        result.stop = StopReason::interrupted;
        result.detail = "stopped from outside";
    } else {
        judge_end(result);
    }
    result.instructions = decoder_.retired();
    result.guest_ticks = decoder_.retired();
    result.cpu_instructions = decoder_.cpu_retired();
    result.interrupts_at = decoder_.interrupts_at();
    if (config_.progress) config_.progress->store(result.instructions, std::memory_order_relaxed);
    return result;
}

void QemuRun::judge_end(RunResult& result) const {
    const ChildResult& end = child_.result();
    if (end.signal) {
        result.detail = text("QEMU was ended by signal %d after %llu instructions", end.signal,
                             static_cast<unsigned long long>(decoder_.retired()));
    } else if (!decoder_.begun() && !decoder_.ended()) {
        throw EngineError("QEMU did not start: " + last_lines(end.errors, 3));
    } else if (end.status % 2 == 1 && decoder_.ended()) {
        result.guest_code = std::uint8_t(end.status / 2);
        const bool good = result.guest_code == regs::debug_exit::success;
        result.stop = good ? StopReason::power_off : StopReason::guest_failed;
        result.detail =
            good ? "the guest switched the power off"
                 : text("the guest switched the power off and reports failure (code %#x)", result.guest_code);
    } else {
        result.detail = text("QEMU ended with status %d: ", end.status) + last_lines(end.errors, 3);
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
        QemuRun run(program_, plugin_.string(), config);
        blocks_.push_back(run.code_blocks());
        return run.run();
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
