// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <devenv/block_batch.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <memory>
#include <thread>

namespace devenv {

namespace {

using sim::timing::BlockError;
using sim::timing::BlockTimer;

constexpr std::size_t line_bytes_most = 3 * sim::timing::block_bytes_most;  // with a space behind each pair

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view space = " \t\r";
    const auto first = text.find_first_not_of(space);
    return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(space) - first + 1);
}

// Lines of a descriptor, as many at a time as were there to be read.
class Lines {
  public:
    explicit Lines(const std::string& file) : name_(file == "-" ? "standard input" : file) {
        descriptor_ = file == "-" ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor_ < 0) fail();
    }
    ~Lines() {
        if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
    }
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;

    // False at the end, or when the command is to stop. A line that is too long comes cut, and is then too long still.
    bool read(std::vector<std::string>& lines) {
        lines.clear();
        while (lines.empty() && !ended_ && !interrupted()) {
            const ssize_t count = ::read(descriptor_, buffer_.data(), buffer_.size());
            if (count < 0 && errno != EINTR) fail();
            if (count > 0) take({buffer_.data(), static_cast<std::size_t>(count)}, lines);
            if (count == 0) {
                ended_ = true;
                if (!rest_.empty()) lines.push_back(std::move(rest_));
            }
        }
        return !lines.empty();
    }

  private:
    [[noreturn]] void fail() const {
        throw Failure(Exit::usage, name_ + ": " + std::strerror(errno) + "; give a file of blocks, or - for stdin");
    }
    void take(std::string_view text, std::vector<std::string>& lines) {
        for (;;) {
            const auto end = text.find('\n');
            const std::string_view part = text.substr(0, end);
            if (rest_.size() <= line_bytes_most) rest_ += part.substr(0, line_bytes_most + 1 - rest_.size());
            if (end == text.npos) return;
            lines.push_back(std::move(rest_));
            rest_.clear();
            text.remove_prefix(end + 1);
        }
    }

    std::string name_, rest_;
    int descriptor_;
    bool ended_ = false;
    std::array<char, 65536> buffer_;
};

struct Answer {
    std::string text, error;
};

Answer answer(BlockTimer& timer, std::string_view line, const BatchOptions& options) {
    const std::string_view hex = trimmed(line);
    try {
        if (line.size() > line_bytes_most)
            throw BlockError("a line of more than " + grouped(line_bytes_most) + " bytes");
        const double cycles = timer.throughput(timer.read(parse_block(hex), options.mode));
        if (options.json) return {Json{{"hex", std::string(hex)}, {"cycles", cycles}}.dump() + "\n", ""};
        return {std::string(hex) + "," + decimal(cycles, 3) + "\n", ""};
    } catch (const std::exception& error) {  // also: no memory
        return {"", error.what()};
    }
}

// Each worker takes every n-th line and has a timer of its own.
void answer_all(std::vector<std::unique_ptr<BlockTimer>>& timers, const std::vector<std::string>& lines,
                const BatchOptions& options, std::vector<Answer>& answers) {
    constexpr std::size_t lines_a_worker = 16;
    const std::size_t workers = std::clamp<std::size_t>(lines.size() / lines_a_worker, 1, timers.size());
    const auto work = [&](std::size_t first) {
        for (std::size_t i = first; i < lines.size() && !interrupted(); i += workers)
            answers[i] = answer(*timers[first], lines[i], options);
    };
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < workers; ++i) threads.emplace_back(work, i);
    work(0);
}

}  // namespace

std::vector<std::uint8_t> parse_block(std::string_view hex) {
    std::vector<std::uint8_t> bytes;
    std::size_t at = hex.starts_with("0x") || hex.starts_with("0X") ? 2 : 0;
    while (at < hex.size()) {
        if (hex[at] == ' ' || hex[at] == '\t') {
            ++at;
            continue;
        }
        for (std::size_t i = at; i < at + 2; ++i) {
            if (i == hex.size()) throw BlockError("an odd number of hexadecimal digits: half a byte at the end");
            if (digit(hex[i]) >= 0) continue;
            const bool printable = hex[i] > ' ' && hex[i] < 127;
            throw BlockError("no hexadecimal digit at character " + std::to_string(i + 1) +
                             (printable ? std::string(" ('") + hex[i] + "')" : ""));
        }
        bytes.push_back(static_cast<std::uint8_t>(digit(hex[at]) << 4 | digit(hex[at + 1])));
        at += 2;
    }
    return bytes;
}

Exit time_batch(const BatchOptions& options) {
    constexpr unsigned workers_most = 16;
    Lines input(options.file);
    Output& out = standard_output();
    std::vector<std::unique_ptr<BlockTimer>> timers;
    for (unsigned i = std::clamp(std::thread::hardware_concurrency(), 1u, workers_most); i > 0; --i)
        timers.push_back(std::make_unique<BlockTimer>(options.cpu));
    std::vector<std::string> lines;
    std::uint64_t number = 0, skipped = 0;
    while (out.usable() && input.read(lines)) {
        std::vector<Answer> answers(lines.size());
        answer_all(timers, lines, options, answers);
        for (const Answer& one : answers) {
            if (one.text.empty() && one.error.empty()) break;  // interrupted
            ++number;
            out.write(one.text);
            if (one.error.empty()) continue;
            ++skipped;
            spdlog::error("line {}: {}", number, one.error);
        }
        out.flush();
        if (interrupted()) return Exit::interrupted;
    }
    if (interrupted()) return Exit::interrupted;
    if (skipped) spdlog::error("{} of {} lines were skipped", grouped(skipped), grouped(number));
    return skipped ? Exit::difference : Exit::done;
}

}  // namespace devenv
