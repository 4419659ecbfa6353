// SPDX-License-Identifier: GPL-2.0-or-later
// One line on a terminal that says how far a run is, from its third second on. It is gone before anything else is
// written, so that output never mixes with it.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace devenv {

class Progress {
  public:
    // `line` is asked for the text, on another thread, a few times a second. Does nothing unless stderr is a terminal.
    explicit Progress(std::function<std::string()> line);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Runs `write` with the line cleared. `at_line_start`: whether the terminal's cursor is left in its first column,
    // without which the line would overwrite text.
    void around(const std::function<void()>& write, bool at_line_start);

  private:
    void loop();
    void clear();

    std::function<std::string()> line_;
    std::mutex mutex_;
    std::condition_variable ended_;
    bool end_ = false, drawn_ = false, may_draw_ = true;
    std::thread thread_;
};

}  // namespace devenv
