// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sim/bochs/configuration.hpp>
#include <sim/engine.hpp>
#include <sim/process/child.hpp>

namespace sim::bochs {

namespace {

constexpr const char* program = "bochs";
constexpr std::uint64_t host_mib_most = 1024;  // of guest memory held at once; Bochs swaps the rest in 128 KiB blocks

struct File {
    const char *path, *package;
};
constexpr File files[] = {{"/usr/share/bochs/BIOS-bochs-latest", "bochsbios"},
                          {"/usr/share/vgabios/vgabios.bin", "vgabios"},
                          {"/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so", "bochs-term"}};

void check_files() {
    for (const File& file : files) {
        if (!std::filesystem::exists(file.path))
            throw EngineError(std::string(file.path) + ": not there; install the package " + file.package);
    }
}

// Bochs itself ends on an unknown model, but says so in a log only.
void check_cpu(const std::string& cpu) {
    ChildResult answer;
    try {
        answer = run_child({.arguments = {program, "--help", "cpu"}, .folder = {}, .timeout_s = 60});
    } catch (const ProcessError& error) {
        throw EngineError(std::string(error.what()) +
                          "; install the packages bochs, bochs-term, bochsbios and vgabios");
    }
    const std::string text = "\n" + answer.output + answer.errors;
    if (text.find("\n" + cpu + "\n") != std::string::npos) return;
    const std::size_t list = text.find("models:");
    if (list == std::string::npos)
        throw EngineError("bochs --help cpu: lists no CPU models; install Debian 12's package bochs (2.7)");
    std::string known = text.substr(list + 7, text.rfind("\n\n") - list - 7);
    std::replace(known.begin(), known.end(), '\n', ' ');
    throw EngineError("Bochs has no CPU model '" + cpu + "'; it has" + known);
}

std::string text(const Configuration& c) {
    const std::uint64_t mib = c.ram_bytes >> 20;
    return "plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, e1000=0, iodebug=1\n"
           "config_interface: textconfig\n"
           "display_library: term\n"
           "romimage: file=" +
           std::string(files[0].path) +
           "\n"
           "vgaromimage: file=" +
           std::string(files[1].path) +
           "\n"
           "memory: guest=" +
           std::to_string(mib) + ", host=" + std::to_string(std::min(mib, host_mib_most)) +
           "\n"
           "cpu: model=" +
           c.cpu + ", count=" + std::to_string(c.cpus) + ", ips=" + std::to_string(ticks_per_second) +
           ", quantum=16, reset_on_triple_fault=0\n"
           "clock: sync=none, time0=1704067200\n"  // 2024-01-01
           "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
           "ata0-master: type=cdrom, path=" +
           c.image.string() +
           ", status=inserted\n"
           "boot: cdrom\n"
           "com1: enabled=1, mode=file, dev=" +
           serial_fifo +
           "\n"
           "port_e9_hack: enabled=" +
           (c.debug_port ? "1" : "0") +
           "\n"
           "log: " +
           log_fifo +
           "\n"
           "panic: action=fatal\n"
           "error: action=report\n"
           "info: action=report\n"
           "debug: action=ignore\n"
           "mouse: enabled=0\n";
}

void put(const std::filesystem::path& path, const std::string& content) {
    errno = 0;
    std::ofstream file(path, std::ios::binary);
    file << content;
    file.close();
    if (!file) throw ProcessError(path.string() + ": cannot be written: " + std::strerror(errno ? errno : EIO));
}

}  // namespace

void prepare(const Configuration& configuration) {
    check_cpu(configuration.cpu);
    check_files();
    put(configuration.folder / "bochsrc", text(configuration));
    std::vector<const char*> fifos{serial_fifo, log_fifo};
    if (configuration.commands) put(configuration.folder / commands_file, *configuration.commands);
    else fifos.push_back(commands_file);
    for (const char* name : fifos) {
        const std::filesystem::path path = configuration.folder / name;
        if (mkfifo(path.c_str(), 0600) != 0)
            throw ProcessError(path.string() + ": no FIFO can be made: " + std::strerror(errno));
    }
}

std::vector<std::string> arguments() { return {program, "-q", "-f", "bochsrc", "-rc", commands_file}; }

std::vector<std::pair<std::string, std::string>> environment() { return {{"TERM", "dumb"}, {"LC_ALL", "C"}}; }

std::string version_in(std::string_view standard_output) {
    constexpr std::string_view before = "Bochs x86 Emulator ";
    const std::size_t at = standard_output.find(before);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = standard_output.substr(at + before.size());
    return std::string(rest.substr(0, rest.find_first_not_of("0123456789.")));
}

}  // namespace sim::bochs
