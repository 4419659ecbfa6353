// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel images of commits and of the working tree, all built with the same flags: a commit once for each compiler, in
// a scratch tree that is gone afterwards, the working tree incrementally. One object of this class at a time works in a
// cache folder; others wait.
#pragma once
#include <filesystem>
#include <string>

namespace devenv {

class KernelBuilds {
  public:
    // `root`: the source tree; `cache`: where images are kept. Waits while another process uses that. Throws Failure:
    // not a repository (usage), no git or compiler (missing), the cache cannot be written (usage), Ctrl-C
    // (interrupted).
    KernelBuilds(std::filesystem::path root, std::filesystem::path cache);
    ~KernelBuilds();
    KernelBuilds(const KernelBuilds&) = delete;
    KernelBuilds& operator=(const KernelBuilds&) = delete;

    std::string commit(const std::string& revision) const;  // full id; throws Failure (usage) if there is none
    // These throw Failure with the end of the log if the build fails (difference), or on Ctrl-C (interrupted).
    std::filesystem::path image_of(const std::string& commit) const;
    std::filesystem::path image_of_working_tree() const;

  private:
    void lock();
    void check_out(const std::string& commit, const std::filesystem::path& tree) const;
    std::filesystem::path build(const std::filesystem::path& tree, const std::filesystem::path& folder,
                                const std::string& what) const;

    std::filesystem::path root_, cache_;
    std::string tools_;  // a digest of compiler version and flags: part of a cached image's name
    int lock_ = -1;
};

}  // namespace devenv
