// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <unistd.h>

#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>

namespace devenv {

namespace {
std::atomic<bool> stop{false};
std::atomic<int> signals{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void on_signal(int) {
    stop.store(true, std::memory_order_relaxed);
    if (signals.fetch_add(1, std::memory_order_relaxed) >= 2) _exit(static_cast<int>(Exit::interrupted));
}
}  // namespace

void install_signal_handlers() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

std::atomic<bool>& stop_requested() { return stop; }
bool interrupted() { return signals.load(std::memory_order_relaxed) > 0; }

}  // namespace devenv
