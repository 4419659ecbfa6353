// SPDX-License-Identifier: GPL-2.0-or-later
// A file that has no name until it is whole: unnamed in the target's folder where the file system can, else `.part`
// beside it. Destroyed unpublished, it leaves nothing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace sim {

class TraceFile {
  public:
    explicit TraceFile(std::filesystem::path target);  // throws TraceError
    ~TraceFile();
    TraceFile(const TraceFile&) = delete;
    TraceFile& operator=(const TraceFile&) = delete;

    // Appends; on failure returns errno after cutting the file back to what it held before.
    int append(std::span<const std::uint8_t>, std::span<const std::uint8_t>);
    std::uint64_t size() const { return size_; }
    void publish();  // syncs and gives it its name, replacing a regular file of that name; throws TraceError

  private:
    int link_unnamed(const std::filesystem::path& name);

    std::filesystem::path target_, part_;  // part_ empty: the file is unnamed
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

}  // namespace sim
