// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <chrono>
#include <devenv/view/progress.hpp>
#include <devenv/view/style.hpp>

namespace devenv {

namespace {
using namespace std::chrono_literals;

void put(const std::string& text) {
    // A terminal that does not take the line loses nothing.
    [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}
}  // namespace

Progress::Progress(std::function<std::string()> line) : line_(std::move(line)) {
    if (is_terminal(STDERR_FILENO)) thread_ = std::thread([this] { loop(); });
}

Progress::~Progress() {
    {
        const std::lock_guard lock(mutex_);
        end_ = true;
    }
    ended_.notify_all();
    if (thread_.joinable()) thread_.join();
    clear();
}

void Progress::loop() {
    std::unique_lock lock(mutex_);
    for (auto wait = 2000ms; !ended_.wait_for(lock, wait, [this] { return end_; }); wait = 250ms) {
        if (!may_draw_) continue;
        put("\r\033[K" + line_());
        drawn_ = true;
    }
}

void Progress::clear() {
    if (drawn_) put("\r\033[K");
    drawn_ = false;
}

void Progress::around(const std::function<void()>& write, bool at_line_start) {
    const std::lock_guard lock(mutex_);
    clear();
    write();
    may_draw_ = at_line_start;
}

}  // namespace devenv
