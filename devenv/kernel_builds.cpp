// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <devenv/environment.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/kernel_builds.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/format.hpp>
#include <sim/process/child.hpp>

namespace devenv {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t log_lines = 20;

// Those of the preset `dev`, for both sides whatever preset exo-dev itself was built with.
const std::vector<std::string> build_options = {"-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O2",
                                                "-DEXO_WITH_SIM=OFF", "-DEXO_WITH_TESTS=OFF"};

// A folder that is removed on the way out, however that is.
class Scratch {
  public:
    explicit Scratch(fs::path path) : path_(std::move(path)) {
        fs::remove_all(path_);
        fs::create_directories(path_);
    }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

sim::ChildResult run(sim::Child child) {
    child.stop = &stop_requested();
    sim::ChildResult result = sim::run_child(std::move(child));
    if (result.interrupted) throw Failure(Exit::interrupted, "interrupted; scratch trees removed");
    return result;
}

sim::ChildResult git(const fs::path& root, std::vector<std::string> arguments,
                     std::vector<std::pair<std::string, std::string>> environment = {}) {
    arguments.insert(arguments.begin(), "git");
    try {
        return run({.arguments = std::move(arguments), .folder = root, .environment = std::move(environment)});
    } catch (const sim::ProcessError& error) {
        throw Failure(Exit::missing, std::string(error.what()) + "; install the package git");
    }
}

// What a build depends on besides the sources. FNV-1a, 64 bits.
std::string digest_of_tools() {
    const char* chosen = std::getenv("CXX");
    const std::string compiler = chosen && *chosen ? chosen : "c++";
    std::string text = run({.arguments = {"sh", "-c", compiler + " --version"}, .folder = {}}).output;
    if (text.empty()) throw Failure(Exit::missing, compiler + ": does not tell its version; install the package g++");
    for (const std::string& option : build_options) text += option + "\n";
    std::uint64_t digest = 0xcbf29ce484222325;
    for (const char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return address(digest);
}

}  // namespace

KernelBuilds::KernelBuilds(fs::path root, fs::path cache) : root_(std::move(root)), cache_(std::move(cache)) {
    const sim::ChildResult top = git(root_, {"rev-parse", "--show-toplevel"});
    std::error_code failed;
    if (top.status != 0 || !fs::equivalent(sim::last_lines(top.output, 1), root_, failed)) {
        throw Failure(Exit::usage, root_.string() + ": is not a git repository, so it has no commits to compare" +
                                       (top.errors.empty() ? "" : " (git: " + sim::last_lines(top.errors, 3) + ")"));
    }
    tools_ = digest_of_tools();
    lock();
    std::vector<fs::path> left_over;  // by a process that was killed: who holds the lock knows that none is in use
    for (const auto& entry : fs::directory_iterator(cache_)) {
        if (entry.path().filename().string().starts_with("scratch-")) left_over.push_back(entry.path());
    }
    for (const fs::path& path : left_over) fs::remove_all(path);
}

KernelBuilds::~KernelBuilds() {
    if (lock_ >= 0) close(lock_);
}

void KernelBuilds::lock() {
    std::error_code failed;
    fs::create_directories(cache_, failed);
    const fs::path file = cache_ / ".lock";
    lock_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock_ < 0) throw Failure(Exit::usage, file.string() + ": " + std::strerror(errno) + "; images are kept there");
    for (bool told = false; flock(lock_, LOCK_EX | LOCK_NB) != 0; told = true) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            throw Failure(Exit::usage, file.string() + ": cannot be locked: " + std::strerror(errno));
        if (!told) spdlog::info("waiting for another exo-dev diff");
        if (interrupted()) throw Failure(Exit::interrupted, "interrupted while waiting for another exo-dev diff");
        usleep(100'000);
    }
}

std::string KernelBuilds::commit(const std::string& revision) const {
    const sim::ChildResult parsed =
        git(root_, {"rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"});
    if (parsed.status != 0) {
        throw Failure(Exit::usage,
                      revision + ": no such commit; git log --oneline lists them, HEAD~1 is the last but one");
    }
    return sim::last_lines(parsed.output, 1);
}

fs::path KernelBuilds::image_of(const std::string& commit) const {
    const fs::path image = cache_ / (commit + "-" + tools_ + ".elf");
    if (fs::exists(image)) return image;
    const Scratch scratch(cache_ / ("scratch-" + commit.substr(0, 12) + "-" + std::to_string(getpid())));
    const std::string what = "commit " + commit.substr(0, 12);
    spdlog::info("building the kernel of {}", what);
    check_out(commit, scratch.path() / "tree");
    const fs::path built = build(scratch.path() / "tree", scratch.path() / "build", what);
    const fs::path incoming = scratch.path() / "exo.elf";
    fs::copy_file(built, incoming, fs::copy_options::overwrite_existing);
    fs::rename(incoming, image);
    return image;
}

fs::path KernelBuilds::image_of_working_tree() const {
    spdlog::info("building the kernel of the working tree");
    return build(root_, cache_ / "working-tree", "the working tree");
}

// A private index and no work-tree entry: nothing is left in the repository, even after a power cut.
void KernelBuilds::check_out(const std::string& commit, const fs::path& tree) const {
    const std::vector<std::pair<std::string, std::string>> index = {{"GIT_INDEX_FILE", tree.string() + ".index"}};
    fs::create_directories(tree);
    for (const std::vector<std::string>& step : {std::vector<std::string>{"read-tree", commit},
                                                 {"checkout-index", "--all", "--prefix=" + tree.string() + "/"}}) {
        const sim::ChildResult result = git(root_, step, index);
        if (result.status != 0) {
            throw Failure(Exit::difference, "git " + step.front() + " of " + commit.substr(0, 12) + " failed:\n" +
                                                sim::last_lines(result.errors, log_lines));
        }
    }
}

fs::path KernelBuilds::build(const fs::path& tree, const fs::path& folder, const std::string& what) const {
    std::vector<std::vector<std::string>> steps = {{"cmake", "-G", "Ninja", "-S", tree.string(), "-B", folder.string()},
                                                   {"cmake", "--build", folder.string(), "--target", "exo.elf"}};
    steps.front().insert(steps.front().end(), build_options.begin(), build_options.end());
    for (const auto& step : steps) {
        const sim::ChildResult result = run({.arguments = step, .folder = {}});
        if (result.status == 0) continue;
        throw Failure(Exit::difference, "the kernel of " + what + " does not build; the end of its log:\n" +
                                            sim::last_lines(result.output + result.errors, log_lines));
    }
    const fs::path image = folder / "kernel" / "exo.elf";
    if (!fs::exists(image)) throw Failure(Exit::difference, what + " builds no kernel/exo.elf");
    return image;
}

}  // namespace devenv
