// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sim/process/child.hpp>
#include <sim/process/guard.hpp>

namespace sim {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t errors_kept = 1 << 20;
constexpr auto grace = 2s;  // between SIGINT and SIGKILL

[[noreturn]] void refuse(const std::string& program, const char* step) {
    throw ProcessError(program + ": cannot be started: " + step + ": " + std::strerror(errno));
}

// What the program reads and writes on its side (given), and what we read on ours (output, errors).
struct Streams {
    Descriptor input, given_output, given_errors, output, errors;

    void pipe(Descriptor& read_end, Descriptor& write_end, const std::string& program) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) refuse(program, "pipe");
        read_end = Descriptor(ends[0]);
        write_end = Descriptor(ends[1]);
    }
    void pipes(const std::string& program) {
        input = Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!input.open()) refuse(program, "/dev/null");
        pipe(output, given_output, program);
        pipe(errors, given_errors, program);
    }
    void terminal(const std::string& program) {
        output = Descriptor(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        char name[64];
        if (!output.open() || grantpt(output.get()) != 0 || unlockpt(output.get()) != 0 ||
            ptsname_r(output.get(), name, sizeof name) != 0) {
            refuse(program, "pseudo terminal");
        }
        input = Descriptor(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
        given_output = Descriptor(fcntl(input.get(), F_DUPFD_CLOEXEC, 3));
        given_errors = Descriptor(fcntl(input.get(), F_DUPFD_CLOEXEC, 3));
        const winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
        if (!given_errors.open() || ioctl(input.get(), TIOCSWINSZ, &size) != 0) refuse(program, name);
    }
};

std::vector<std::string> variables(const Child& child) {
    std::vector<std::string> list;
    for (char** variable = environ; *variable; ++variable) {
        const std::string_view text = *variable;
        const std::string_view key = text.substr(0, text.find('='));
        const auto replaced = [&](const auto& added) { return added.first == key; };
        if (std::none_of(child.environment.begin(), child.environment.end(), replaced)) list.emplace_back(text);
    }
    for (const auto& [key, value] : child.environment) list.push_back(key + "=" + value);
    return list;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

// A whole report; nothing when the guard is gone.
std::optional<GuardReport> read_report(int control) {
    GuardReport report{};
    ssize_t bytes;
    while ((bytes = recv(control, &report, sizeof report, 0)) < 0 && errno == EINTR) {
    }
    return bytes == sizeof report ? std::optional(report) : std::nullopt;
}

void reap(pid_t pid) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

// Reads what is there into `to`. False at its end (a terminal's end is an error).
template <typename To>
bool read_some(int from, const To& to) {
    std::array<char, 16384> buffer;
    const ssize_t bytes = read(from, buffer.data(), buffer.size());
    if (bytes > 0) to(std::string_view(buffer.data(), static_cast<std::size_t>(bytes)));
    return bytes > 0 || (bytes < 0 && (errno == EINTR || errno == EAGAIN));
}

template <typename To>
bool take(Descriptor& from, const To& to) {
    if (read_some(from.get(), to)) return true;
    from.close();
    return false;
}

}  // namespace

ChildProcess::ChildProcess(Child child) : child_(std::move(child)) { start(); }

void ChildProcess::start() {
    const std::string program = child_.arguments.front();
    std::vector<std::string> arguments = child_.arguments, environment = variables(child_);
    const std::vector<char*> argument_list = pointers(arguments), variable_list = pointers(environment);
    Streams streams;
    child_.terminal ? streams.terminal(program) : streams.pipes(program);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) refuse(program, "socketpair");
    control_ = Descriptor(ends[0]);
    Descriptor other(ends[1]);
    const GuardOrders orders{
        .arguments = argument_list.data(),
        .environment = variable_list.data(),
        .folder = child_.folder.empty() ? nullptr : child_.folder.c_str(),
        .private_folder = child_.private_folder.empty() ? nullptr : child_.private_folder.c_str(),
        .input = streams.input.get(),
        .output = streams.given_output.get(),
        .errors = streams.given_errors.get(),
        .terminal = child_.terminal,
        .inherit = child_.inherit,
        .control = other.get(),
    };
    guard_ = fork();
    if (guard_ < 0) refuse(program, "fork");
    if (guard_ == 0) {
        control_.close();  // or we would never see its end
        become_guard(orders);
    }
    other.close();
    out_ = std::move(streams.output);
    err_ = std::move(streams.errors);
    const std::optional<GuardReport> first = read_report(control_.get());
    if (first && first->kind == GuardReport::Kind::started) {
        pid_ = first->value;
        return;
    }
    reap(guard_);
    throw ProcessError(program + ": cannot be run: " + std::strerror(first ? first->value : ECHILD));
}

ChildProcess::~ChildProcess() {
    if (guard_ <= 0 || ended_) return;
    control_.close();  // the guard takes this for our end
    reap(guard_);
}

void ChildProcess::signal(int number) {
    const auto byte = static_cast<unsigned char>(number);
    if (!ended_) send(control_.get(), &byte, 1, MSG_NOSIGNAL);
}

void ChildProcess::take_output(std::string_view text) {
    const std::uint64_t room = child_.output_limit - output_bytes_;
    if (text.size() > room) {
        text = text.substr(0, room);
        result_.flooded = true;
        ask_to_end();
    }
    output_bytes_ += text.size();
    if (text.empty()) return;
    child_.on_output ? child_.on_output(text) : void(result_.output += text);
}

void ChildProcess::take_report() {
    const std::optional<GuardReport> report = read_report(control_.get());
    reap(guard_);
    ended_ = true;
    const int status = report ? report->value : SIGKILL;  // a guard that was killed takes the program with it
    result_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result_.status = result_.signal ? 128 + result_.signal : WEXITSTATUS(status);
}

bool ChildProcess::pump(std::chrono::milliseconds wait) {
    std::vector<pollfd> polled = {pollfd{ended_ ? -1 : control_.get(), POLLIN, 0}, pollfd{out_.get(), POLLIN, 0},
                                  pollfd{err_.get(), POLLIN, 0}};
    for (const auto& [descriptor, taker] : child_.also_read) polled.push_back({descriptor, POLLIN, 0});
    const int ready = poll(polled.data(), polled.size(), ended_ ? 0 : static_cast<int>(wait.count()));
    bool any = false;
    if (ready > 0) any = take_all(polled);
    if (!ended_) enforce_limits();
    return !ended_ || any;
}

// True if something was read.
bool ChildProcess::take_all(const std::vector<pollfd>& polled) {
    bool any = false;
    if (polled[1].revents) any |= take(out_, [this](std::string_view text) { take_output(text); });
    if (polled[2].revents) {
        any |= take(err_, [this](std::string_view text) {
            result_.errors += text;
            if (result_.errors.size() > errors_kept) result_.errors.erase(0, result_.errors.size() - errors_kept);
        });
    }
    for (std::size_t i = 0; i < child_.also_read.size(); ++i) {
        auto& [descriptor, taker] = child_.also_read[i];
        if (polled[3 + i].revents && !read_some(descriptor, taker)) descriptor = -1;  // poll passes it over
        else any |= polled[3 + i].revents != 0;
    }
    if (polled[0].revents) take_report(), any = true;
    return any;
}

void ChildProcess::ask_to_end() {
    if (asked_) return;
    asked_ = Clock::now();
    signal(SIGINT);
}

void ChildProcess::enforce_limits() {
    const auto now = Clock::now();
    if (asked_) {
        if (now - *asked_ > grace) signal(SIGKILL);
    } else if (child_.stop != nullptr && child_.stop->load()) {
        result_.interrupted = true;
        ask_to_end();
    } else if (child_.timeout_s && now - start_ > std::chrono::duration<double>(*child_.timeout_s)) {
        result_.timed_out = true;
        ask_to_end();
    }
}

ChildResult ChildProcess::wait() {
    while (pump(100ms)) {
    }
    return std::move(result_);
}

ChildResult run_child(Child child) { return ChildProcess(std::move(child)).wait(); }

std::string last_lines(std::string_view text, std::size_t count) {
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    std::size_t at = text.size();
    for (std::size_t lines = 0; at > 0; --at) {
        if (text[at - 1] == '\n' && ++lines == count) break;
    }
    return std::string(text.substr(at));
}

}  // namespace sim
