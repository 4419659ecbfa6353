// SPDX-License-Identifier: GPL-2.0-or-later
// A file that has no name until it is whole: unnamed in the target's folder where the file system can, else hidden
// beside it. Destroyed unpublished, it leaves nothing, and it removes nothing that it did not make.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace sim {

// A descriptor that can be mistaken for standard input, output or error is moved above them: a program started with one
// of these closed would write its messages into the file. Takes what open() returned; -1 and errno likewise.
int above_standard(int fd);

class TraceFile {
  public:
    // Follows a symbolic link: what it points to is written, the link stays. Throws TraceError for everything that can
    // be known before the run: a folder that cannot be written, a name that is too long, an existing file that is
    // read-only (no write bit at all, even for root) or not a regular file.
    explicit TraceFile(std::filesystem::path target);
    ~TraceFile();
    TraceFile(const TraceFile&) = delete;
    TraceFile& operator=(const TraceFile&) = delete;

    // Appends; on failure returns errno after cutting the file back to what it held before.
    int append(std::span<const std::uint8_t>, std::span<const std::uint8_t>);
    std::uint64_t size() const { return size_; }
    void publish();  // syncs and gives it its name, replacing a regular file of that name; throws TraceError

  private:
    void open_without_name();
    int link_unnamed(const std::filesystem::path& name);
    int take_name_beside(const std::function<int(const std::filesystem::path&)>& create);

    std::filesystem::path target_, folder_, part_;  // part_ empty: the file is unnamed
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

}  // namespace sim
