// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <sim/board/text.hpp>
#include <sim/bochs/configuration.hpp>
#include <sim/bochs/marks.hpp>
#include <sim/bochs/stop_lines.hpp>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>

namespace sim {

namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds silence_limit = 120s;  // of this machine's time, without a word from Bochs
constexpr std::size_t line_most = 4096;
constexpr const char* image_name = "boot.iso";
constexpr std::uint64_t long_mode_active = 1 << 10;  // EFER.LMA

Descriptor open_fifo(const std::filesystem::path& path, int how) {
    Descriptor fifo(open(path.c_str(), how | O_NONBLOCK | O_CLOEXEC));
    if (!fifo.open()) throw ProcessError(path.string() + ": " + std::strerror(errno));
    return fifo;
}

class MarksRun {
  public:
    explicit MarksRun(const BochsMarks& wanted) : wanted_(wanted) {
        result_.cpu = wanted.cpu.empty() ? std::string(bochs::default_cpu) : wanted.cpu;
        bochs::prepare({.cpu = result_.cpu,
                        .ram_bytes = wanted.ram_bytes,
                        .image = image_name,
                        .folder = folder_.path(),
                        .commands = std::nullopt,
                        .debug_port = false});
        wanted.make_image(folder_.path() / image_name, wanted.command_line);
        serial_ = open_fifo(folder_.path() / bochs::serial_fifo, O_RDONLY);
        log_ = open_fifo(folder_.path() / bochs::log_fifo, O_RDONLY);
        commands_ = open_fifo(folder_.path() / bochs::commands_file, O_RDWR);  // so that Bochs never sees its end
        set_breakpoints();
        unsent_ += "c\n";
    }

    BochsStops run() {
        ChildProcess child({.arguments = bochs::arguments(),
                            .folder = folder_.path(),
                            .environment = bochs::environment(),
                            .on_output = [this](std::string_view text) { on_output(text); },
                            .also_read = {{serial_.get(), [this](std::string_view) { heard_ = SteadyClock::now(); }},
                                          {log_.get(), [this](std::string_view text) { on_log(text); }}},
                            .private_folder = folder_.path()});
        bool ended = false;
        while (!done_ && !stopped() && !result_.reset && !silent()) {
            send();
            ended = !child.pump(20ms);
            if (ended) break;
        }
        judge(ended, child.result());
        return std::move(result_);
    }

  private:
    bool stopped() const { return wanted_.stop && wanted_.stop->load(std::memory_order_relaxed); }
    bool silent() { return result_.silent = SteadyClock::now() - heard_ > silence_limit; }
    void set_breakpoints();
    void send();
    void on_output(std::string_view);
    void on_line(std::string_view);
    void on_stop(std::uint64_t now);
    void on_log(std::string_view);
    void judge(bool ended, const ChildResult&);

    const BochsMarks& wanted_;
    TemporaryFolder folder_;
    Descriptor serial_, log_, commands_;
    std::string unsent_, line_, log_tail_, banner_;
    BochsStops result_;
    std::map<std::uint64_t, unsigned> seen_;
    std::optional<MarkStop> stop_;  // being told
    unsigned breakpoint_ = 0;
    std::size_t breakpoints_deleted_ = 0;
    std::uint64_t last_tick_ = 0;
    std::vector<std::uint64_t> deliveries_;
    unsigned resets_ = 0;
    bool done_ = false;
    SteadyClock::time_point heard_ = SteadyClock::now();
};

// Those with a selector go where they leave room for the others.
void MarksRun::set_breakpoints() {
    std::size_t linear = std::size_t(std::count_if(wanted_.places.begin(), wanted_.places.end(),
                                                   [](const MarkPlace& place) { return !place.selector; }));
    for (const MarkPlace& place : wanted_.places) {
        const auto address = static_cast<unsigned long long>(place.address);
        if (place.selector && linear < bochs_linear_most) ++linear, unsent_ += text("lb 0x%llx\n", address);
        else if (place.selector) unsent_ += text("vb 0x%x:0x%llx\n", *place.selector, address);
        else unsent_ += text("lb 0x%llx\n", address);
    }
}

// As much as the FIFO takes now: the rest goes when Bochs has read.
void MarksRun::send() {
    while (!unsent_.empty()) {
        const ssize_t sent = write(commands_.get(), unsent_.data(), unsent_.size());
        if (sent <= 0) return;
        unsent_.erase(0, std::size_t(sent));
    }
}

void MarksRun::on_output(std::string_view text) {
    heard_ = SteadyClock::now();
    if (banner_.size() < line_most) banner_ += text.substr(0, line_most);
    while (!done_) {
        const std::size_t end = text.find('\n');
        if (line_.size() < line_most) line_ += text.substr(0, std::min(end, line_most));
        if (end == text.npos) return;
        on_line(line_);
        line_.clear();
        text.remove_prefix(end + 1);
    }
}

void MarksRun::on_line(std::string_view line) {
    if (const auto handler = bochs::parse_delivery_line(line)) {
        deliveries_.push_back(*handler);
    } else if (const auto at = bochs::parse_stop_line(line)) {
        stop_ = MarkStop{.address = at->address};
        breakpoint_ = at->breakpoint;
        unsent_ += bochs::state_commands;
        send();
    } else if (stop_) {
        if (const auto now = bochs::parse_time_line(line)) on_stop(*now);
        else bochs::take_state_line(line, *stop_);
    }
}

// All of the state has been told.
void MarksRun::on_stop(std::uint64_t now) {
    if (stop_->state.efer & long_mode_active) {
        stop_->ticks = now - last_tick_;
        stop_->deliveries = std::exchange(deliveries_, {});
        if (result_.stops.empty()) unsent_ += "show extint\n";
        last_tick_ = now;
        if (++seen_[stop_->address] == wanted_.each) {
            unsent_ += text("d %u\n", breakpoint_);
            done_ = ++breakpoints_deleted_ == wanted_.places.size();
        }
        result_.stops.push_back(std::move(*stop_));
        if (wanted_.progress) wanted_.progress->store(result_.stops.size(), std::memory_order_relaxed);
    }
    stop_.reset();
    unsent_ += "c\n";
    send();
}

void MarksRun::on_log(std::string_view text) {
    constexpr std::string_view mark = "bx_pc_system_c::Reset(HARDWARE) called";
    log_tail_ += text;  // a line may come in two pieces
    std::size_t at;
    while ((at = log_tail_.find(mark)) != log_tail_.npos) {
        log_tail_.erase(0, at + mark.size());
        result_.reset = ++resets_ > 1;  // the first is the power-on
    }
    if (log_tail_.size() > mark.size()) log_tail_.erase(0, log_tail_.size() - mark.size());
}

void MarksRun::judge(bool ended, const ChildResult& end) {
    result_.version = bochs::version_in(banner_);
    result_.interrupted = stopped();
    if (result_.interrupted) result_.end = "stopped from outside";
    else if (result_.reset) result_.end = "the guest reset the machine";
    else if (done_) result_.end = "every mark was seen often enough";
    else if (result_.silent) result_.end = text("nothing was heard of it for %lld s", (long long)silence_limit.count());
    else if (ended && end.signal)
        result_.end = text("Bochs was ended by signal %d (%s)", end.signal, strsignal(end.signal));
    else result_.end = "the guest ended the run";
    result_.complete = !result_.interrupted && !result_.reset && !result_.silent && !(ended && end.signal);
    if (ended && !end.signal && result_.stops.empty())
        throw EngineError("Bochs ended before it came to a mark: " + last_lines(banner_ + end.errors, 3));
}

}  // namespace

BochsStops run_bochs_to_marks(const BochsMarks& wanted) { return MarksRun(wanted).run(); }

}  // namespace sim
