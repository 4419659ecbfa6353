// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>
#include <devenv/environment.hpp>

namespace devenv {
namespace fs = std::filesystem;

Environment environment() {
    std::error_code ignored;
    const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
    const char* root = std::getenv("EXO_DEV_ROOT");
    const char* build = std::getenv("EXO_DEV_BUILD");
    Environment e;
    e.build = build && *build ? fs::path(build) : self.parent_path().parent_path();
    e.root = root && *root ? fs::path(root) : e.build.parent_path().parent_path();
    return e;
}

std::string display(const fs::path& path) {
    std::error_code failed;
    const fs::path relative = fs::proximate(path, failed);
    if (failed || relative.empty()) return path.string();
    const std::string shorter = relative.string(), full = path.string();
    return shorter.size() < full.size() ? shorter : full;
}

}  // namespace devenv
