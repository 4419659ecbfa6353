// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/subprocess.hpp>
#include <system_error>

namespace devenv {

namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int value) : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~Descriptor() { close(); }
    int get() const { return value_; }
    bool open() const { return value_ >= 0; }
    void close() {
        if (value_ >= 0) ::close(std::exchange(value_, -1));
    }

  private:
    int value_ = -1;
};

struct Pipe {
    Descriptor read, write;
    Pipe() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
        read = Descriptor(ends[0]);
        write = Descriptor(ends[1]);
    }
};

// After fork: only calls that are safe there. Reports why exec failed through `failure`.
[[noreturn]] void become(const Child& child, char** arguments, char** environment, pid_t parent, const Pipe& out,
                         const Pipe& err, int failure) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    for (const int number : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM}) signal(number, SIG_DFL);
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(out.write.get(), STDOUT_FILENO);
    dup2(err.write.get(), STDERR_FILENO);
    if (child.folder.empty() || chdir(child.folder.c_str()) == 0) execvpe(arguments[0], arguments, environment);
    const int error = errno;
    [[maybe_unused]] const ssize_t ignored = write(failure, &error, sizeof error);
    _exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

// Reads what is there. Closes the descriptor at its end.
void take(Descriptor& from, const std::function<void(std::string_view)>& to) {
    std::array<char, 16384> buffer;
    const ssize_t bytes = read(from.get(), buffer.data(), buffer.size());
    if (bytes > 0) {
        to({buffer.data(), static_cast<std::size_t>(bytes)});
    } else if (bytes == 0 || (errno != EINTR && errno != EAGAIN)) {
        from.close();
    }
}

class Supervisor {
  public:
    Supervisor(const Child& child, pid_t pid, Descriptor out, Descriptor err)
        : child_(child), pid_(pid), out_(std::move(out)), err_(std::move(err)) {}
    ~Supervisor() {
        if (!dead_) end(SIGKILL), waitpid(pid_, nullptr, 0);
    }

    ChildResult wait() {
        while (!dead_) {
            pump(out_.open() || err_.open() ? 100 : 5);
            ask_to_end();
            int status = 0;
            if (waitpid(pid_, &status, WNOHANG) != pid_) continue;
            dead_ = true;
            result_.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
        while (pump(0)) {  // what it had written before it died
        }
        if (result_.timed_out || result_.interrupted) end(SIGKILL);  // stragglers of its group
        return std::move(result_);
    }

  private:
    void end(int number) { kill(-pid_, number); }

    bool pump(int wait_ms) {
        std::array<pollfd, 2> polled = {pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0}};
        const int ready = poll(polled.data(), polled.size(), wait_ms);
        if (ready <= 0) return false;
        if (polled[0].revents) {
            take(out_, [this](std::string_view text) {
                child_.on_output ? child_.on_output(text) : void(result_.output += text);
            });
        }
        if (polled[1].revents) take(err_, [this](std::string_view text) { result_.errors += text; });
        return true;
    }

    void ask_to_end() {
        const auto now = SteadyClock::now();
        if (!asked_) {
            result_.interrupted = interrupted();
            result_.timed_out = child_.timeout_s && now - start_ > std::chrono::duration<double>(*child_.timeout_s);
            if (!result_.interrupted && !result_.timed_out) return;
            end(SIGINT);
            asked_ = now;
        } else if (now - *asked_ > 2s) {
            end(SIGKILL);
        }
    }

    const Child& child_;
    const pid_t pid_;
    Descriptor out_, err_;
    const SteadyClock::time_point start_ = SteadyClock::now();
    std::optional<SteadyClock::time_point> asked_;
    bool dead_ = false;
    ChildResult result_;
};

}  // namespace

ChildResult run_child(const Child& child) {
    std::vector<std::string> arguments = child.arguments, variables;
    for (char** variable = environ; *variable; ++variable) {
        const std::string_view text = *variable;
        const std::string_view key = text.substr(0, text.find('='));
        const auto replaced = [&](const auto& added) { return added.first == key; };
        if (std::none_of(child.environment.begin(), child.environment.end(), replaced)) variables.emplace_back(text);
    }
    for (const auto& [key, value] : child.environment) variables.push_back(key + "=" + value);
    const std::vector<char*> argument_list = pointers(arguments), variable_list = pointers(variables);

    Pipe out, err, failure;
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid == 0) {
        become(child, const_cast<char**>(argument_list.data()), const_cast<char**>(variable_list.data()), parent, out,
               err, failure.write.get());
    }
    setpgid(pid, pid);  // both sides, so that neither has to wait for the other
    for (Pipe* pipe : {&out, &err, &failure}) pipe->write.close();
    Supervisor supervisor(child, pid, std::move(out.read), std::move(err.read));
    int error = 0;
    ssize_t bytes;
    while ((bytes = read(failure.read.get(), &error, sizeof error)) < 0 && errno == EINTR) {
    }
    if (bytes == sizeof error) {
        throw Failure(Exit::missing, child.arguments.front() + ": cannot be run: " + std::strerror(error));
    }
    return supervisor.wait();
}

std::string last_lines(std::string_view text, std::size_t count) {
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    std::size_t at = text.size();
    for (std::size_t lines = 0; at > 0; --at) {
        if (text[at - 1] == '\n' && ++lines == count) break;
    }
    return std::string(text.substr(at));
}

}  // namespace devenv
