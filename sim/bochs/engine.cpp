// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <regs/control.hpp>
#include <sim/board/text.hpp>
#include <sim/bochs/configuration.hpp>
#include <sim/bochs/engine.hpp>
#include <sim/bochs/trace_decoder.hpp>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>

namespace sim {

namespace {

using namespace std::chrono_literals;
using MakeImage = std::function<void(const std::filesystem::path&, const std::string&)>;

unsigned long long whole(std::uint64_t value) { return value; }

Descriptor open_fifo(const std::filesystem::path& path) {
    Descriptor fifo(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fifo.open()) throw ProcessError(path.string() + ": " + std::strerror(errno));
    return fifo;
}

// One run: the process, its trace and what comes of it.
class BochsRun {
  public:
    BochsRun(const BochsWindow& window, const MakeImage& make_image, const RunConfig& config)
        : window_(window),
          config_(config),
          most_(std::min({bochs_window_most, window.count.value_or(bochs_window_most),
                          config.instruction_limit.value_or(bochs_window_most)})),
          decoder_(config.events, config.ram_bytes, *config.image) {
        bochs::prepare(configuration());
        make_image(folder_.path() / image_name, config.command_line);
        serial_ = open_fifo(folder_.path() / bochs::serial_fifo);
        log_ = open_fifo(folder_.path() / bochs::log_fifo);
    }

    RunResult run() {
        ChildProcess child(command());
        while (!done_ && !stopped() && !reset() && !silent()) {
            if (!child.pump(50ms)) break;
        }
        next_ = decoder_.about_to_execute().value_or(0);
        halted_ = decoder_.halted();
        decoder_.finish();
        return judge(child.result());
    }

    std::shared_ptr<std::deque<CodeBlock>> code_blocks() const { return decoder_.code_blocks(); }

  private:
    bochs::Configuration configuration() const;
    Child command();
    void on_output(std::string_view);
    void on_line(std::string_view);
    void pass(std::uint64_t address);
    void on_log(std::string_view);
    RunResult judge(const ChildResult&) const;
    void judge_end(const ChildResult&, RunResult&) const;
    void judge_outside(const ChildResult&, RunResult&) const;
    std::string wanted() const;
    bool switched_off() const;
    bool stopped() const { return config_.stop && config_.stop->load(std::memory_order_relaxed); }
    bool reset() const { return resets_ > 1; }  // the first is the power-on
    bool tracing() const { return decoder_.about_to_execute().has_value(); }
    bool silent() {
        silent_ = Clock::now() - heard_ > (tracing() ? silence_limit_ : reach_limit_);
        return silent_;
    }

    using Clock = std::chrono::steady_clock;
    // Of this machine's time, without a word from Bochs.
    static constexpr std::chrono::seconds reach_limit_ = 240s, silence_limit_ = 60s;
    static constexpr std::size_t line_most_ = 4096, log_kept_ = 1 << 16;
    static constexpr const char* image_name = "boot.iso";

    const BochsWindow& window_;
    const RunConfig& config_;
    const std::uint64_t most_;
    TemporaryFolder folder_;
    bochs::TraceDecoder decoder_;
    Descriptor serial_, log_;
    std::string line_, log_text_;
    std::uint64_t last_address_ = 0, last_retired_ = 0, depth_ = 0, resets_ = 0;
    bool at_end_ = false;  // the instruction at the window's end has retired
    bool done_ = false, silent_ = false;
    std::uint64_t next_ = 0;  // at the end: the instruction at hand
    bool halted_ = false;     // it is HLT
    Clock::time_point heard_ = Clock::now();
};

// The debugger stops at every begin; after the wanted one it traces, somewhat more than is needed: the run is ended
// from here.
bochs::Configuration BochsRun::configuration() const {
    std::string commands;
    for (const std::uint64_t address : window_.begins) commands += text("lb 0x%llx\n", whole(address));
    for (std::uint64_t i = 0; i < window_.number; ++i) commands += "c\n";
    for (std::size_t i = 1; i <= window_.begins.size(); ++i) commands += text("d %zu\n", i);
    // Iterations of string instructions are steps of their own.
    commands += "trace on\ntrace-mem on\nc\nq\n";
    return {.ram_bytes = config_.ram_bytes,
            .image = image_name,
            .folder = folder_.path(),
            .commands = commands,
            .debug_port = false};
}

Child BochsRun::command() {
    return {.arguments = bochs::arguments(),
            .folder = folder_.path(),
            .environment = bochs::environment(),
            .on_output = [this](std::string_view text) { on_output(text); },
            .also_read = {{serial_.get(),
                           [this](std::string_view text) {
                               heard_ = Clock::now();
                               if (config_.console && !done_) config_.console(text);
                           }},
                          {log_.get(), [this](std::string_view text) { on_log(text); }}},
            .private_folder = folder_.path()};
}

void BochsRun::on_output(std::string_view text) {
    heard_ = Clock::now();
    while (!done_) {
        const std::size_t end = text.find('\n');
        if (line_.size() < line_most_) line_ += text.substr(0, std::min(end, line_most_));
        if (end == text.npos) return;
        on_line(line_);
        line_.clear();
        text.remove_prefix(end + 1);
    }
}

void BochsRun::on_line(std::string_view text) {
    const bool begun = tracing();
    if (!decoder_.line(text)) return;
    const std::uint64_t address = *decoder_.about_to_execute();
    if (config_.progress) config_.progress->store(decoder_.retired(), std::memory_order_relaxed);
    if (!begun && config_.events)
        config_.events->on_input({.cpu = 0, .index = 0, .kind = InputKind::start, .address = address, .value = 0});
    // A mark counts when its instruction retires: one that faults or is interrupted comes again.
    if (begun && decoder_.retired() > last_retired_) pass(last_address_);
    last_address_ = address;
    last_retired_ = decoder_.retired();
    done_ = at_end_ || last_retired_ >= most_;
}

void BochsRun::pass(std::uint64_t address) {  // at one address, ends come before begins
    if (depth_ > 0 && window_.ends.contains(address)) at_end_ = --depth_ == 0 && !window_.count;
    if (!at_end_ && window_.begins.contains(address)) ++depth_;
}

void BochsRun::on_log(std::string_view text) {
    // A line may come in two pieces: look from a little before the new text.
    constexpr std::string_view mark = "bx_pc_system_c::Reset(HARDWARE) called";
    const std::size_t tail = std::min(log_text_.size(), mark.size() - 1);
    const std::string fresh = log_text_.substr(log_text_.size() - tail) + std::string(text);
    for (std::size_t at = 0; (at = fresh.find(mark, at)) != fresh.npos; at += mark.size()) ++resets_;
    log_text_ += text;
    if (log_text_.size() > log_kept_) log_text_.erase(0, log_text_.size() - log_kept_);
}

std::string BochsRun::wanted() const { return window_.mark + ":" + std::to_string(window_.number); }

RunResult BochsRun::judge(const ChildResult& end) const {
    RunResult result;
    result.instructions = result.guest_ticks = decoder_.retired();
    result.cpu_instructions = {result.instructions};
    result.interrupts_at = decoder_.interrupts_at();
    result.registers.rip = next_;
    result.registers.efer = regs::efer::lma;  // only 64-bit code is traced
    if (config_.progress) config_.progress->store(result.instructions, std::memory_order_relaxed);
    if (stopped()) {
        result.stop = StopReason::interrupted;
        result.detail = "stopped from outside";
    } else if (done_ && decoder_.retired() >= most_ && most_ != window_.count) {
        result.stop = StopReason::instruction_limit;
        result.detail = text("%llu instructions were traced, and ", whole(most_)) + wanted() + " has not ended";
    } else if (done_) {
        result.stop = StopReason::window_end;
        result.detail = "the window " + wanted() + " was traced";
    } else {
        judge_end(end, result);
    }
    return result;
}

// Not as it was meant to end.
void BochsRun::judge_end(const ChildResult& end, RunResult& result) const {
    if (end.signal) {
        result.detail = text("Bochs was ended by signal %d (%s) after %llu traced instructions", end.signal,
                             strsignal(end.signal), whole(decoder_.retired()));
    } else if (decoder_.breakpoints() < window_.number) {
        judge_outside(end, result);
    } else if (reset()) {
        result.stop = StopReason::reset;
        result.detail = "the guest reset the machine (a triple fault, or its own wish) inside the window";
    } else if (silent_ && halted_) {
        result.stop = StopReason::halted_for_ever;
        result.detail = text("HLT inside the window, and nothing woke it in %lld s",
                             static_cast<long long>(silence_limit_.count()));
    } else if (silent_) {
        result.detail = text("Bochs has said nothing for %lld s", static_cast<long long>(silence_limit_.count()));
    } else if (switched_off()) {
        result.stop = StopReason::power_off;
        result.detail = "the guest switched the machine off inside the window; how it fared is on its console";
    } else {
        result.stop = StopReason::guest_failed;
        result.detail = "Bochs ended the run inside the window: " + last_lines(end.errors, 3);
    }
}

// Both ways in which Bochs tells of a guest that ends itself.
bool BochsRun::switched_off() const {
    return log_text_.find("Shutdown port: shutdown requested") != log_text_.npos ||
           log_text_.find("ACPI control: soft power off") != log_text_.npos;
}

void BochsRun::judge_outside(const ChildResult& end, RunResult& result) const {
    const std::string seen = text("%s began %llu times", window_.mark.c_str(), whole(decoder_.breakpoints())) +
                             " and not " + std::to_string(window_.number);
    if (silent_) {
        result.stop = StopReason::instruction_limit;
        result.detail =
            "the window was not reached: " + seen +
            text(", and the guest has said nothing for %lld s", static_cast<long long>(reach_limit_.count()));
    } else if (reset()) {
        result.stop = StopReason::reset;
        result.detail = "the guest reset the machine before the window: " + seen;
    } else if (switched_off()) {
        result.stop = StopReason::power_off;
        result.detail = "the guest switched the machine off before the window: " + seen;
    } else if (log_text_.empty() || resets_ == 0) {
        throw EngineError(text("Bochs ended with status %d before it began: ", end.status) + last_lines(end.errors, 3));
    } else {
        result.stop = StopReason::guest_failed;
        result.detail = "the guest ended before the window: " + seen;
    }
}

class BochsEngine final : public Engine {
  public:
    BochsEngine(BochsWindow window, MakeImage make_image)
        : window_(std::move(window)), make_image_(std::move(make_image)) {}
    std::string name() const override { return "bochs"; }
    std::string version() const override { return std::string(bochs::tried_version); }
    std::string cpu() const override { return std::string(bochs::default_cpu); }
    Capabilities capabilities() const override {
        return {.exact_interrupts = false,
                .register_values = false,
                .cycle_clock = false,
                .snapshots = false,
                .several_cpus = false};
    }
    RunResult run(const RunConfig& config) override {
        if (!config.image) throw EngineError("there is no kernel image to run");
        try {
            BochsRun run(window_, make_image_, config);
            blocks_.push_back(run.code_blocks());
            return run.run();
        } catch (const ProcessError& error) {
            throw EngineError(error.what());
        }
    }

  private:
    BochsWindow window_;
    MakeImage make_image_;
    std::vector<std::shared_ptr<std::deque<CodeBlock>>> blocks_;  // promised for ever: as long as the engine
};

}  // namespace

std::unique_ptr<Engine> make_bochs_engine(BochsWindow window, MakeImage make_image) {
    return std::make_unique<BochsEngine>(std::move(window), std::move(make_image));
}

}  // namespace sim
