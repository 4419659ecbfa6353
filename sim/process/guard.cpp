// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sim/process/guard.hpp>

namespace sim {

namespace {

void close_from_to(unsigned first, unsigned last) {
    if (first > last || close_range(first, last, 0) == 0) return;
    for (unsigned number = first; number <= std::min(last, 65535u); ++number) close(static_cast<int>(number));
}

void keep_only(int one, int other) {
    const auto low = static_cast<unsigned>(std::min(one, other)), high = static_cast<unsigned>(std::max(one, other));
    close_from_to(0, low - 1);
    if (high > low) close_from_to(low + 1, high - 1);
    close_from_to(high + 1, ~0u);
    while (open("/dev/null", O_RDWR) < 2) {  // 0 to 2 are never anything else
        if (errno == EMFILE || errno == ENOENT) break;
    }
}

// The program's side of the second fork. Reports why exec failed through `failure`.
[[noreturn]] void become_program(const GuardOrders& orders, pid_t guard, int failure) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // in case somebody kills the guard; its only thread is the parent
    if (getppid() != guard) _exit(127);
    if (orders.terminal) {
        setsid();
        ioctl(orders.input, TIOCSCTTY, 0);
    } else {
        setpgid(0, 0);
    }
    for (const int number : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(orders.input, STDIN_FILENO);
    dup2(orders.output, STDOUT_FILENO);
    dup2(orders.errors, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);  // ours are so already; a library's may not be
    for (const int number : orders.inherit) fcntl(number, F_SETFD, 0);
    if (orders.folder == nullptr || chdir(orders.folder) == 0)
        execvpe(orders.arguments[0], orders.arguments, orders.environment);
    const int error = errno;
    [[maybe_unused]] const ssize_t ignored = write(failure, &error, sizeof error);
    _exit(127);
}

// What came from the program belongs to us when its parent dies, whatever group or session it has gone to: kill until
// none is left. False if the kernel does not list children.
bool kill_children() {
    const int list = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (list < 0) return false;
    char text[4096];
    const ssize_t bytes = read(list, text, sizeof text - 1);
    close(list);
    bool any = false;
    pid_t pid = 0;
    for (ssize_t i = 0; i < bytes; ++i) {
        if (text[i] >= '0' && text[i] <= '9') {
            pid = pid * 10 + (text[i] - '0');
        } else if (pid != 0) {
            kill(pid, SIGKILL);
            any = true;
            pid = 0;
        }
    }
    return any;
}

// The program's wait status, when it and all that came from it are gone.
int end_all(pid_t program) {
    int status = 0;
    kill(-program, SIGKILL);
    kill(program, SIGKILL);  // it may have changed its group
    waitpid(program, &status, 0);
    while (kill_children() && waitpid(-1, nullptr, 0) > 0) {
    }
    return status;
}

void report(int control, GuardReport::Kind kind, int value) {
    const GuardReport message{kind, value};
    [[maybe_unused]] const ssize_t ignored = send(control, &message, sizeof message, MSG_NOSIGNAL);
}

// True if the program has ended: it is left a zombie, so that its group's number is nobody else's.
bool has_ended(pid_t program) {
    siginfo_t info{};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        if (info.si_pid == program) return true;
        waitpid(info.si_pid, nullptr, 0);  // an orphan that came to us
        info.si_pid = 0;
    }
    return false;
}

// Until the program ends (true) or exo-dev does (false).
bool watch(int control, int children, pid_t program) {
    for (;;) {
        pollfd polled[2] = {{control, POLLIN, 0}, {children, POLLIN, 0}};
        if (poll(polled, 2, -1) < 0) continue;
        if (polled[1].revents) {
            signalfd_siginfo info[8];
            [[maybe_unused]] const ssize_t ignored = read(children, info, sizeof info);
            if (has_ended(program)) return true;
        }
        if (!polled[0].revents) continue;
        unsigned char number = 0;
        const ssize_t bytes = read(control, &number, 1);
        if (bytes == 1) kill(-program, number);
        if (bytes == 0 || (bytes < 0 && errno != EINTR && errno != EAGAIN)) return false;
    }
}

[[noreturn]] void remove_folder(const char* folder) {
    if (folder != nullptr) {
        const char* const arguments[] = {"rm", "-rf", "--", folder, nullptr};
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        execvp(arguments[0], const_cast<char* const*>(arguments));
    }
    _exit(0);
}

}  // namespace

void become_folder_guard(const char* folder, int control) {
    setsid();
    prctl(PR_SET_NAME, "exo-dev-guard");
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    keep_only(control, control);
    char byte;
    remove_folder(read(control, &byte, 1) == 1 ? nullptr : folder);
}

void become_guard(const GuardOrders& orders) {
    setsid();  // the terminal's signals are for exo-dev, which then tells us
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "exo-dev-guard");
    sigset_t all, child_ends;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);  // ignored ones would be reaped behind our back
    const int children = signalfd(-1, &child_ends, SFD_CLOEXEC | SFD_NONBLOCK);
    int failure[2] = {-1, -1};
    const pid_t self = getpid();
    const pid_t program = children >= 0 && pipe2(failure, O_CLOEXEC) == 0 ? fork() : -1;
    if (program == 0) become_program(orders, self, failure[1]);
    int error = errno;
    if (program > 0) {
        setpgid(program, program);  // both sides, so that neither has to wait for the other
        close(failure[1]);
        ssize_t bytes;
        while ((bytes = read(failure[0], &error, sizeof error)) < 0 && errno == EINTR) {
        }
        if (bytes != sizeof error) error = 0;
    }
    if (error != 0) {
        report(orders.control, GuardReport::Kind::failed, error);
        _exit(0);
    }
    keep_only(orders.control, children);
    report(orders.control, GuardReport::Kind::started, program);
    const bool ended = watch(orders.control, children, program);
    const int status = end_all(program);
    if (!ended) remove_folder(orders.private_folder);
    report(orders.control, GuardReport::Kind::ended, status);
    _exit(0);
}

}  // namespace sim
