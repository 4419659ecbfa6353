// SPDX-License-Identifier: GPL-2.0-or-later
// A folder that is this run's alone: in $TMPDIR or /tmp, for its user only, removed with all that is in it, however
// exo-dev ends (sim/process/guard.hpp).
#pragma once
#include <filesystem>
#include <sim/process/descriptor.hpp>

namespace sim {

class TemporaryFolder {
  public:
    // Throws ProcessError naming the folder and the cause. Also removes those of runs that were killed with their guard
    // (a machine that was switched off).
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }  // absolute

  private:
    std::filesystem::path path_;
    void start_guard();

    Descriptor lock_;  // held as long as the run lives
    Descriptor control_;
    int guard_ = -1;
};

}  // namespace sim
