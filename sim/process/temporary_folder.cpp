// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sim/process/child.hpp>
#include <sim/process/guard.hpp>
#include <sim/process/temporary_folder.hpp>
#include <string>

namespace sim {

namespace {

namespace fs = std::filesystem;

constexpr const char* prefix = "exo-dev-run.";
constexpr const char* mark = ".exo-dev";     // a file in each of them: nobody else's folder is ever removed
constexpr std::time_t surely_locked_s = 60;  // a folder so old has been locked by its run, if that lives

fs::path parent() {
    const char* chosen = std::getenv("TMPDIR");
    return fs::absolute(chosen && *chosen ? chosen : "/tmp");
}

// Who died without removing his folder no longer locks it.
void remove_left_over(const fs::path& folder) {
    struct stat status {};
    if (lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid()) return;
    if (std::time(nullptr) - status.st_mtime < surely_locked_s) return;
    const Descriptor lock(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!lock.open() || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return;
    std::error_code ignored;
    if (fs::exists(folder / mark, ignored)) fs::remove_all(folder, ignored);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
    std::error_code ignored;
    for (fs::directory_iterator entry(parent(), ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        if (entry->path().filename().string().starts_with(prefix)) remove_left_over(entry->path());
    }
    std::string name = (parent() / (std::string(prefix) + "XXXXXX")).string();
    if (mkdtemp(name.data()) == nullptr) {
        throw ProcessError(parent().string() + ": no folder can be made there for this run: " + std::strerror(errno) +
                           "; set TMPDIR to a folder that can be written");
    }
    path_ = name;
    lock_ = Descriptor(open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock_.open()) flock(lock_.get(), LOCK_EX | LOCK_NB);
    Descriptor(open((path_ / mark).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).close();
    start_guard();
}

void TemporaryFolder::start_guard() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;  // then only the next run removes what a killed one leaves
    Descriptor theirs(ends[0]);
    control_ = Descriptor(ends[1]);
    guard_ = fork();
    if (guard_ != 0) return;
    control_.close();
    become_folder_guard(path_.c_str(), theirs.get());
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
    if (guard_ <= 0) return;
    // Nobody reads any more if the guard was killed: SIGPIPE is ignored by exo-dev, and by us meanwhile anywhere else.
    const auto before = signal(SIGPIPE, SIG_IGN);
    [[maybe_unused]] const ssize_t written = write(control_.get(), "", 1);
    signal(SIGPIPE, before);
    while (waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

}  // namespace sim
