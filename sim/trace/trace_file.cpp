// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sim/trace/trace.hpp>
#include <sim/trace/trace_file.hpp>

namespace sim {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what, int error, const char* next) {
    std::string cause = error ? std::string(": ") + std::strerror(error) : "";
    throw TraceError(path.string() + ": " + what + cause + "; " + next);
}

constexpr char choose_another[] = "choose another file with --trace, or --no-trace";

// 0 or errno.
int write_all(int fd, std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        if (written == 0) return ENOSPC;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return 0;
}

}  // namespace

TraceFile::TraceFile(std::filesystem::path target) : target_(std::move(target)) {
    if (target_.filename().empty()) fail(target_, "not a file name", 0, choose_another);
    std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    struct stat status {};
    // Publishing replaces what has the name: never a device, a pipe or a folder.
    if (::stat(target_.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
        fail(target_, "exists and is not a regular file", 0, choose_another);
    fd_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (fd_ >= 0) return;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
        fail(target_, "cannot write in its folder", errno, choose_another);
    part_ = target_;
    part_ += ".part";
    fd_ = ::open(part_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (fd_ < 0) fail(target_, "cannot write in its folder", errno, choose_another);
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0 || ::ftruncate(fd_, 0) != 0) {
        int error = errno;
        ::close(fd_);
        fail(part_, "another run is writing it", error, choose_another);
    }
}

TraceFile::~TraceFile() {
    if (!part_.empty()) ::unlink(part_.c_str());
    if (fd_ >= 0) ::close(fd_);
}

int TraceFile::append(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
    int error = write_all(fd_, head);
    if (!error) error = write_all(fd_, body);
    if (!error) {
        size_ += head.size() + body.size();
        return 0;
    }
    if (::ftruncate(fd_, static_cast<off_t>(size_)) == 0) ::lseek(fd_, static_cast<off_t>(size_), SEEK_SET);
    return error;
}

int TraceFile::link_unnamed(const std::filesystem::path& name) {
    std::string self = "/proc/self/fd/" + std::to_string(fd_);
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) return 0;
    return errno;
}

void TraceFile::publish() {
    if (::fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS)
        fail(target_, "cannot be synced to disk", errno, "the trace was not kept; check the disk");
    if (part_.empty()) {
        int error = link_unnamed(target_);
        if (!error) return;
        // A link does not replace: take a name beside it and rename that over the old file.
        std::filesystem::path beside = target_;
        beside += ".part";
        ::unlink(beside.c_str());
        if (error == EEXIST) error = link_unnamed(beside);
        if (error) fail(target_, "cannot be given its name", error, choose_another);
        part_ = beside;
    }
    if (::rename(part_.c_str(), target_.c_str()) != 0) fail(target_, "cannot be given its name", errno, choose_another);
    part_.clear();
}

}  // namespace sim
