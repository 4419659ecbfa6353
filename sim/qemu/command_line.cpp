// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/qemu/command_line.hpp>

#include <cstdio>
#include <sim/engine.hpp>
#include <sim/process/child.hpp>
#include <stdexcept>

namespace sim::qemu {

namespace {

constexpr const char* program_name = "qemu-system-x86_64";
constexpr int tried_major = 7, tried_minor = 2, oldest_major = 7;

// A comma ends an option's value; two are one comma of the value.
std::string value(const std::filesystem::path& path) {
    std::string out;
    for (const char c : path.string()) out += c == ',' ? ",," : std::string(1, c);
    return out;
}

const char* machine_text(Machine machine) {
    switch (machine) {
        case Machine::q35:
            return "q35";
        case Machine::pc:
            return "pc";
        case Machine::microvm:
            return "microvm,x-option-roms=off,rtc=off,pit=off,pic=off,isa-serial=on";
    }
    throw std::logic_error("no such machine");
}

std::string firmware(const char* path, const char* package) {
    if (!std::filesystem::exists(path))
        throw EngineError(std::string(path) + ": not there; install the package " + package);
    return path;
}

void add_boot(const CommandLine& line, std::vector<std::string>& out) {
    const auto add = [&](std::initializer_list<std::string> words) { out.insert(out.end(), words); };
    const bool from_image = line.boot == Boot::bios || line.boot == Boot::uefi;
    if (line.machine == Machine::microvm && line.boot != Boot::pvh) throw std::logic_error("microvm boots by PVH only");
    if (line.boot == Boot::qboot) add({"-bios", "qboot.rom"});
    if (line.boot == Boot::uefi) {
        add({"-drive", "if=pflash,format=raw,readonly=on,file=" + firmware(uefi_code, "ovmf")});
        add({"-drive", "if=pflash,format=raw,file=" + value(line.variables)});
    }
    if (from_image) {
        add({"-drive", "if=none,id=boot,media=cdrom,format=raw,readonly=on,file=" + value(line.image)});
        add({"-device", "ide-cd,drive=boot,bootindex=0"});
        return;
    }
    add({"-kernel", line.kernel.string()});
    if (!line.guest_command_line.empty()) add({"-append", line.guest_command_line});
    if (!line.initrd.empty()) add({"-initrd", line.initrd.string()});
}

}  // namespace

Program find_program() {
    ChildResult answer;
    try {
        answer = run_child({.arguments = {program_name, "--version"}, .folder = {}, .timeout_s = 60});
    } catch (const ProcessError& error) {
        throw EngineError(std::string(error.what()) + "; install the package qemu-system-x86");
    }
    int major = 0, minor = 0, patch = 0;
    const std::string first = answer.output.substr(0, answer.output.find('\n'));
    const int numbers = std::sscanf(first.c_str(), "QEMU emulator version %d.%d.%d", &major, &minor, &patch);
    if (numbers < 2) {
        throw EngineError(std::string(program_name) + ": does not tell its version ('" + first +
                          "'); install the package qemu-system-x86");
    }
    Program program{
        .path = program_name, .version = std::to_string(major) + "." + std::to_string(minor), .warning = {}};
    if (numbers == 3) program.version += "." + std::to_string(patch);
    if (major < oldest_major) {
        throw EngineError("QEMU " + program.version +
                          " is too old: 7.0 or newer is needed, 7.2 was tried; "
                          "Debian 12's package qemu-system-x86 is 7.2");
    }
    if (major != tried_major || minor != tried_minor)
        program.warning = "QEMU " + program.version + ": only 7.2 has been tried";
    return program;
}

std::vector<std::string> arguments(const CommandLine& line, const Program& program) {
    std::vector<std::string> out = {program.path,
                                    "-nodefaults",
                                    "-no-user-config",
                                    "-no-reboot",
                                    "-display",
                                    "none",
                                    "-monitor",
                                    "none",
                                    "-serial",
                                    "stdio",
                                    "-device",
                                    "isa-debug-exit,iobase=0xf4,iosize=4",
                                    "-M",
                                    machine_text(line.machine),
                                    "-accel",
                                    "tcg",
                                    "-cpu",
                                    line.cpu,
                                    "-smp",
                                    std::to_string(line.cpus),
                                    "-m",
                                    std::to_string(line.ram_bytes >> 20)};
    if (line.instruction_clock)
        out.insert(out.end(), {"-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01,clock=vm"});
    add_boot(line, out);
    out.insert(out.end(), line.extra.begin(), line.extra.end());
    return out;
}

}  // namespace sim::qemu
