// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
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

// What the name finally stands for: a symbolic link is written through, also one to a file that is not there yet.
std::filesystem::path follow_links(std::filesystem::path path) {
    constexpr int most_links = 40;  // as the kernel's own limit
    const std::filesystem::path named = path;
    for (int i = 0; i < most_links; ++i) {
        std::error_code error;
        const std::filesystem::path to = std::filesystem::read_symlink(path, error);
        if (error) return path;
        path = path.parent_path() / to;  // an absolute one replaces all of it
    }
    fail(named, "is a symbolic link", ELOOP, choose_another);
}

// Replacing a file asks only its folder: whoever made the file itself read-only is heard here, root included.
// The mode of the old file, which the new one gets, or nothing if there is none.
std::optional<mode_t> mode_to_keep(const std::filesystem::path& target) {
    struct stat status {};
    if (::stat(target.c_str(), &status) != 0) {
        if (errno == ENOENT) return std::nullopt;
        fail(target, "cannot be written", errno, choose_another);
    }
    if (!S_ISREG(status.st_mode)) fail(target, "exists and is not a regular file", 0, choose_another);
    if (!(status.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)))
        fail(target, "exists and is read-only", 0, "make it writable, or choose another file with --trace");
    if (::faccessat(AT_FDCWD, target.c_str(), W_OK, AT_EACCESS) != 0)
        fail(target, "exists and cannot be written", errno, choose_another);
    return status.st_mode & 0777;
}

}  // namespace

int above_standard(int fd) {
    if (fd < 0 || fd > STDERR_FILENO) return fd;
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    const int error = errno;
    ::close(fd);
    errno = error;
    return moved;
}

TraceFile::TraceFile(std::filesystem::path target) : target_(follow_links(std::move(target))) {
    if (target_.filename().empty()) fail(target_, "not a file name", 0, choose_another);
    folder_ = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    const std::optional<mode_t> mode = mode_to_keep(target_);
    open_without_name();
    if (mode) ::fchmod(fd_, *mode);  // fails only where there are no modes
}

void TraceFile::open_without_name() {
    fd_ = above_standard(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666));
    if (fd_ >= 0) return;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
        fail(target_, "cannot write in its folder", errno, choose_another);
    if (const int error = take_name_beside([this](const std::filesystem::path& name) {
            fd_ = above_standard(::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666));
            return fd_ < 0 ? errno : 0;
        }))
        fail(target_, "cannot write in its folder", error, choose_another);
}

TraceFile::~TraceFile() {
    if (!part_.empty()) ::unlink(part_.c_str());
    if (fd_ >= 0) ::close(fd_);
}

// A name in the target's folder that nothing had, given to the file by `create` (0 or errno), into part_. Only such a
// name is ever removed. 0 or errno.
int TraceFile::take_name_beside(const std::function<int(const std::filesystem::path&)>& create) {
    static std::atomic<unsigned> counter;
    for (int tries = 0; tries < 1000; ++tries) {
        // Not made of the target's name, which may be as long as names can be.
        const std::filesystem::path name =
            folder_ / (".exo-trace." + std::to_string(::getpid()) + "." + std::to_string(counter++));
        const int error = create(name);
        if (!error) part_ = name;
        if (error != EEXIST) return error;
    }
    return EEXIST;
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
        if (error == EEXIST)
            error = take_name_beside([this](const std::filesystem::path& name) { return link_unnamed(name); });
        if (error) fail(target_, "cannot be given its name", error, choose_another);
    }
    if (::rename(part_.c_str(), target_.c_str()) != 0) fail(target_, "cannot be given its name", errno, choose_another);
    part_.clear();
}

}  // namespace sim
