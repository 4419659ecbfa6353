// SPDX-License-Identifier: GPL-2.0-or-later
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <devenv/environment.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/linux_guest.hpp>
#include <devenv/signals.hpp>
#include <fstream>
#include <iterator>
#include <sim/process/child.hpp>
#include <sstream>

namespace devenv {
namespace fs = std::filesystem;

namespace {

constexpr const char* meta_package = "linux-image-cloud-amd64";  // depends on the kernel of the day
constexpr std::string_view package_prefix = "linux-image-";
constexpr double download_limit_s = 600;

[[noreturn]] void cannot(const std::string& what, const std::string& why) {
    throw Failure(Exit::missing, "the Linux guest cannot be assembled: " + what + ": " + why);
}

sim::ChildResult run_tool(std::vector<std::string> arguments, const fs::path& folder) {
    const std::string command = arguments[0] + " " + arguments[1];
    try {
        const sim::ChildResult result = sim::run_child({.arguments = std::move(arguments),
                                                        .folder = folder,
                                                        .environment = {{"LC_ALL", "C"}},
                                                        .timeout_s = download_limit_s,
                                                        .stop = &stop_requested()});
        if (result.interrupted) throw Failure(Exit::interrupted, "interrupted");
        if (result.timed_out) cannot(command, "no end in 600 s");
        if (result.status != 0)
            cannot(command, sim::last_lines(result.errors, 3) +
                                "\nit needs Debian's package lists (apt-get update) and a network");
        return result;
    } catch (const sim::ProcessError& error) {
        cannot(command, error.what());
    }
}

// "linux-image-6.1.0-56-cloud-amd64", which the meta package depends on.
std::string kernel_package() {
    std::istringstream lines(run_tool({"apt-cache", "depends", meta_package}, {}).output);
    std::string word;
    while (lines >> word) {
        if (word != "Depends:") continue;
        if (lines >> word && word.starts_with(package_prefix)) return word;
    }
    cannot(meta_package, "it depends on no kernel");
}

// A folder for the work, gone afterwards however that ends.
class Workshop {
  public:
    explicit Workshop(const fs::path& parent) : path_(parent / ("new." + std::to_string(getpid()))) {
        std::error_code error;
        fs::create_directories(path_, error);
        if (error) throw Failure(Exit::usage, display(path_) + ": cannot be made: " + error.message());
    }
    ~Workshop() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

fs::path downloaded_package(const fs::path& folder) {
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().extension() == ".deb") return entry.path();
    cannot("apt-get download", "it left no package");
}

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file)
        throw Failure(Exit::missing,
                      display(path) + ": cannot be read: " + std::strerror(errno) + "; ./exo-dev bench boot builds it");
    return bytes;
}

void write_file(const fs::path& path, const std::string& bytes) {
    const fs::path part = path.string() + "." + std::to_string(getpid());
    std::ofstream file(part, std::ios::binary);
    errno = 0;
    file << bytes;
    file.close();
    const int error = errno ? errno : EIO;
    std::error_code ignored;
    if (file) {
        fs::rename(part, path);
        return;
    }
    fs::remove(part, ignored);
    throw Failure(Exit::usage, display(path) + ": cannot be written: " + std::strerror(error));
}

void fetch_kernel(const std::string& package, const std::string& version, const fs::path& to) {
    spdlog::info("fetching {} (27 MB, once)", package);
    const Workshop workshop(to.parent_path());
    // The package's signature is apt's to check. As root it drops its rights for the download if it can write here.
    run_tool({"apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package}, workshop.path());
    const fs::path unpacked = workshop.path() / "package";
    run_tool({"dpkg-deb", "-x", downloaded_package(workshop.path()).string(), unpacked.string()}, workshop.path());
    const fs::path image = unpacked / "boot" / ("vmlinuz-" + version);
    if (!fs::exists(image)) cannot(package, "there is no boot/vmlinuz-" + version + " in it");
    fs::rename(image, to);
}

std::optional<std::uint64_t> reported(std::string_view console, std::string_view marker) {
    const auto at = console.find(marker);
    if (at == console.npos) return std::nullopt;
    const std::string_view digits = console.substr(at + marker.size(), 16);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || digits.size() != 16 || end != digits.data() + 16) return std::nullopt;
    return value;
}

}  // namespace

std::string newc_entry(std::string_view name, std::uint32_t mode, std::string_view content) {
    // inode, mode, uid, gid, links, time, size, device (2), special device (2), length of the name, check
    std::string out =
        fmt::format("070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}", 0, mode, 0,
                    0, 1, 0, content.size(), 0, 0, 0, 0, name.size() + 1, 0);
    const auto pad = [&out] { out.append((4 - out.size() % 4) % 4, '\0'); };
    out += name;
    out += '\0';
    pad();
    out += content;
    pad();
    return out;
}

std::string newc_end() { return newc_entry("TRAILER!!!", 0, {}); }

LinuxGuest assemble_linux_guest(const fs::path& cache) {
    std::error_code error;
    fs::create_directories(cache, error);
    if (error) throw Failure(Exit::usage, display(cache) + ": cannot be made: " + error.message());
    const fs::path programs = environment().build / "bench";
    const std::string package = kernel_package();
    LinuxGuest guest{.kernel = {},
                     .initramfs = cache / "initramfs.cpio",
                     .entry_probe = programs / "exo-linux-entry",
                     .version = package.substr(package_prefix.size())};
    guest.kernel = cache / ("vmlinuz-" + guest.version);
    constexpr std::uint32_t executable_file = 0100755;
    write_file(guest.initramfs,
               newc_entry("init", executable_file, read_file(programs / "exo-linux-init")) + newc_end());
    if (!fs::exists(guest.kernel)) fetch_kernel(package, guest.version, guest.kernel);
    return guest;
}

std::optional<std::uint64_t> linux_init_tsc(std::string_view console) { return reported(console, "linux-init tsc=0x"); }
std::optional<std::uint64_t> linux_entry_tsc(std::string_view console) {
    return reported(console, "kernel-entry tsc=0x");
}

}  // namespace devenv
