// SPDX-License-Identifier: GPL-2.0-or-later
// grub-mkimage, mtools and xorriso one by one: grub-mkrescue would put random identifiers and the time into the image.
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <devenv/boot_image.hpp>
#include <devenv/environment.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <fstream>
#include <iterator>
#include <sim/process/child.hpp>
#include <vector>

namespace devenv {
namespace fs = std::filesystem;

namespace {

constexpr const char* grub_folder = "/usr/lib/grub";
constexpr const char* date_of_everything = "1704067200";  // 2024-01-01 00:00:00 UTC, in seconds since 1970
constexpr std::size_t command_line_max = 1000;            // the kernel keeps 1023 bytes, the menu adds "end=key"

// Everything the loader needs is in its one core image: no module is read from the disk.
constexpr std::array common_modules = {"normal", "configfile", "search",   "search_fs_file", "multiboot2", "iso9660",
                                       "fat",    "part_msdos", "part_gpt", "serial",         "terminal",   "test",
                                       "echo",   "sleep",      "reboot",   "halt",           "ls",         "cat"};
constexpr std::array bios_modules = {"biosdisk", "vbe", "vga"};
constexpr std::array uefi_modules = {"efi_gop", "efi_uga", "video_bochs", "video_cirrus"};

constexpr const char* workshop_name = "/.exo-image-";
// Runs in QEMU and Bochs make an image for themselves.
constexpr const char* elsewhere = "choose another folder: -o for image, TMPDIR for a run";

// Of a file that is only on its way, the user is told the folder it is made in.
[[noreturn]] void fail_to_write(const fs::path& file, int error) {
    const fs::path path = file.string().substr(0, file.string().find(workshop_name));
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    throw Failure(full ? Exit::difference : Exit::usage,
                  fmt::format("{}: cannot be written: {}; {}{}", display(path), std::strerror(error),
                              full ? "make room, or " : "", elsewhere));
}

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file) throw Failure(Exit::usage, display(path) + ": cannot be read: " + std::strerror(errno));
    return bytes;
}

void write_file(const fs::path& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    errno = 0;
    file << bytes;
    file.close();
    if (!file) fail_to_write(path, errno ? errno : EIO);
}

// A folder beside the image, so that the finished image only has to be renamed; gone again however the work ends.
class Workshop {
  public:
    explicit Workshop(const fs::path& image) : image_(image) {
        const fs::path parent = image.has_parent_path() ? image.parent_path() : fs::path(".");
        std::error_code failed;
        fs::create_directories(parent, failed);
        if (failed) fail_to_write(parent, failed.value());
        std::string name = parent.string() + workshop_name + "XXXXXX";
        if (!mkdtemp(name.data())) fail_to_write(parent, errno);
        folder_ = name;
    }
    ~Workshop() {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }
    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;

    fs::path path(const std::string& name) const { return folder_ / name; }
    const fs::path& folder() const { return folder_; }

    void deliver(const fs::path& made) const {
        std::error_code failed;
        fs::permissions(made, fs::perms(0644), failed);
        fs::rename(made, image_, failed);
        if (failed) fail_to_write(image_, failed.value());
    }

    // Runs a program of `package` in this folder, with a fixed date and time zone.
    void run(const char* package, const std::vector<std::string>& arguments) const {
        sim::ChildResult result;
        try {
            result = sim::run_child({.arguments = arguments,
                                     .folder = folder_,
                                     .environment = {{"SOURCE_DATE_EPOCH", date_of_everything},
                                                     {"TZ", "UTC"},
                                                     {"LC_ALL", "C"},
                                                     {"MTOOLSRC", "/dev/null"},
                                                     {"MTOOLS_SKIP_CHECK", "1"}},
                                     .stop = &stop_requested(),
                                     .private_folder = folder_});
        } catch (const sim::ProcessError& error) {
            throw Failure(Exit::missing, fmt::format("{}; install the package {}", error.what(), package));
        }
        if (result.interrupted) throw Failure(Exit::interrupted, display(image_) + ": not made: interrupted");
        if (result.status == 0) return;
        std::error_code ignored;
        const bool full = fs::space(folder_, ignored).available < (std::uint64_t{1} << 20) ||
                          result.errors.find("No space left") != std::string::npos;
        const std::string next =
            full ? std::string("the disk is full: make room, or ") + elsewhere : "the lines above are its own";
        throw Failure(Exit::difference,
                      fmt::format("{}: not made: {} ended with status {}:\n{}\n{}", display(image_), arguments.front(),
                                  result.status, sim::last_lines(result.errors, 6), next));
    }

  private:
    fs::path image_, folder_;
};

// --- the menu --------------------------------------------------------------------------------------------------------

void check_command_line(const std::string& text) {
    if (text.size() > command_line_max)
        throw Failure(Exit::usage, fmt::format("--cmdline: {} characters, at most {}", text.size(), command_line_max));
    for (const char c : text) {
        if (c < ' ' || c > '~' || std::strchr("'\"\\", c))
            throw Failure(Exit::usage,
                          "--cmdline: only printable ASCII without quotes and backslashes reaches the "
                          "kernel as it was typed");
    }
}

void check_screen(const std::string& text) {
    const bool mode = text.find('x') != text.npos && text.find_first_not_of("0123456789x") == text.npos;
    if (text != "auto" && text != "text" && !mode)
        throw Failure(Exit::usage,
                      "--screen: '" + text + "' is no screen; use auto, text or a mode such as 1024x768x32");
}

// Each word in quotes, so that nothing in it means something to GRUB.
std::string quoted_words(const std::string& text) {
    std::string quoted;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        if (end > at) quoted += " '" + text.substr(at, end - at) + "'";
        at = end + 1;
    }
    return quoted;
}

// The screen is chosen after the kernel was loaded, which sets it to "auto" because of the kernel's header. What cannot
// be had is passed over. UEFI has no text screen.
std::string load_commands(const std::string& command_line, const std::string& screen) {
    return fmt::format(
        "  multiboot2 /boot/exo.elf{}\n"
        "  if [ \"$grub_platform\" = pc ]; then\n    set gfxpayload={},auto,text\n"
        "  else\n    set gfxpayload={},auto\n  fi\n",
        quoted_words(command_line), screen, screen == "text" ? "auto" : screen);
}

std::string menu_entry(const std::string& title, const std::string& command_line, const std::string& screen) {
    return fmt::format("menuentry '{}' {{\n{}}}\n", title, load_commands(command_line, screen));
}

std::string menu(const BootImageOptions& options) {
    if (!options.menu) return load_commands(options.command_line, "text") + "boot\n";
    std::string text = fmt::format("set timeout={}\nset default=0\n", options.menu_seconds);
    if (options.menu_seconds == 0) text += "set timeout_style=hidden\n";
    // A machine without a serial port goes on with the screen alone.
    if (options.serial_menu) {
        text +=
            "if serial --unit=0 --speed=115200; then\n"
            "  terminal_input console serial\n  terminal_output console serial\nfi\n";
    }
    const std::string& first = options.command_line;
    const std::string shown = first.size() > 50 ? first.substr(0, 47) + "..." : first;
    text += menu_entry(first.empty() ? "Exo-OS: tour, then power off" : "Exo-OS: " + shown, first, options.screen);
    text += menu_entry("Exo-OS: tour, then wait for a key", "scenario=tour end=key", options.screen);
    text += menu_entry("Exo-OS: stress on all CPUs, then wait for a key", "scenario=stress end=key", options.screen);
    return text;
}

// --- what both images are made of ------------------------------------------------------------------------------------

void need_file(const fs::path& path, const char* package) {
    if (!fs::exists(path)) throw Failure(Exit::missing, path.string() + ": missing; install the package " + package);
}

// Multiboot2 3.1: the magic number, 8-byte aligned, in the first 32 KiB of the file.
bool has_multiboot2_header(const std::string& kernel) {
    constexpr std::uint32_t magic = 0xe85250d6;
    constexpr std::size_t searched = 32 * 1024;
    const std::size_t end = std::min(kernel.size(), searched);
    for (std::size_t at = 0; at + sizeof magic <= end; at += 8) {
        if (std::memcmp(&kernel[at], &magic, sizeof magic) == 0) return true;
    }
    return false;
}

// FNV-1a, 64 bits: names the image that belongs to this loader, should a machine have several.
std::string content_name(const std::string& kernel, const std::string& menu_text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const std::string* text : {&kernel, &menu_text}) {
        for (const char c : *text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return fmt::format("exo-{:016x}", hash);
}

// The tree that a loader finds by its content name: boot/NAME, boot/exo.elf, boot/grub/grub.cfg.
struct Contents {
    std::string kernel, menu_text, name;

    explicit Contents(const BootImageOptions& options) {
        check_command_line(options.command_line);
        check_screen(options.screen);
        kernel = read_file(options.kernel);
        if (!has_multiboot2_header(kernel))
            throw Failure(Exit::usage, display(options.kernel) +
                                           ": has no multiboot2 header, so GRUB cannot boot it; a kernel with a PVH "
                                           "note runs by exo-dev run --engine qemu --firmware pvh");
        menu_text = menu(options);
        name = content_name(kernel, menu_text);
    }
    void put(const fs::path& folder) const {
        fs::create_directories(folder / "boot/grub");
        write_file(folder / "boot/exo.elf", kernel);
        write_file(folder / "boot/grub/grub.cfg", menu_text);
        write_file(folder / "boot" / name, "");
    }
};

template <std::size_t N>
void make_core(const Workshop& shop, const std::string& output, const char* format, const std::string& name,
               const std::array<const char*, N>& modules) {
    write_file(shop.path("early.cfg"),
               "search --no-floppy --set=root --file /boot/" + name + "\nset prefix=($root)/boot/grub\n");
    std::vector<std::string> arguments = {
        "grub-mkimage", "-O",        format, "-d",  fmt::format("{}/{}", grub_folder, format), "-p", "/boot/grub",
        "-c",           "early.cfg", "-o",   output};
    arguments.insert(arguments.end(), common_modules.begin(), common_modules.end());
    arguments.insert(arguments.end(), modules.begin(), modules.end());
    shop.run("grub-common", arguments);
}

void make_bios_core(const Workshop& shop, const std::string& output, const std::string& name) {
    need_file(fs::path(grub_folder) / "i386-pc/boot.img", "grub-pc-bin");
    make_core(shop, output, "i386-pc", name, bios_modules);
}

void make_uefi_loader(const Workshop& shop, const std::string& output, const std::string& name) {
    need_file(fs::path(grub_folder) / "x86_64-efi/moddep.lst", "grub-efi-amd64-bin");
    make_core(shop, output, "x86_64-efi", name, uefi_modules);
}

void set_dates(const fs::path& folder) {
    const fs::file_time_type date = std::chrono::file_clock::from_sys(
        std::chrono::sys_seconds(std::chrono::seconds(std::stoll(date_of_everything))));
    for (const auto& entry : fs::recursive_directory_iterator(folder)) fs::last_write_time(entry.path(), date);
    fs::last_write_time(folder, date);
}

// --- the disk's own structures ---------------------------------------------------------------------------------------

constexpr std::uint32_t sector_bytes = 512, heads = 16, track_sectors = 63;
constexpr std::uint32_t disk_sectors = 63u << 11;  // 63 MiB: whole cylinders of that geometry (Bochs insists)
constexpr std::uint32_t partition_start = 2048;    // 1 MiB: the loader lies before it
constexpr std::uint32_t partition_sectors = disk_sectors - partition_start;
constexpr std::uint8_t uefi_system_partition = 0xef;
constexpr std::uint32_t disk_signature = 0x4f4f5845, volume_serial = 0x4f584530;

template <typename T>
void put(std::string& bytes, std::size_t at, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

// What grub-bios-setup does: boot.img loads the sector after it, and that one, GRUB's diskboot, the rest of the core.
// Offsets: GRUB 2.06, include/grub/i386/pc/boot.h and include/grub/offsets.h.
std::string boot_sectors(std::string boot, std::string core) {
    constexpr std::size_t kernel_sector = 0x5c, boot_drive = 0x64, drive_check = 0x66, signature = 0x1b8, table = 0x1be;
    constexpr std::size_t first_block = sector_bytes - 12;  // of diskboot: start (8), sectors (2), segment (2)
    constexpr std::uint16_t core_segment = 0x820;
    core.resize((core.size() + sector_bytes - 1) / sector_bytes * sector_bytes);
    const std::size_t core_sectors = core.size() / sector_bytes;
    if (boot.size() != sector_bytes || core_sectors < 2 || core_sectors >= partition_start)
        throw Failure(Exit::missing,
                      "this GRUB's boot code has another shape than 2.06's: install grub-pc-bin of Debian 12");
    put<std::uint64_t>(boot, kernel_sector, 1);
    put<std::uint8_t>(boot, boot_drive, 0xff);      // the drive that the BIOS names
    put<std::uint16_t>(boot, drive_check, 0x9090);  // no-ops: trust the BIOS only so far (GRUB's own way for disks)
    put<std::uint32_t>(boot, signature, disk_signature);
    for (std::size_t i = 0; i < 64; ++i) boot[table + i] = 0;
    put<std::uint8_t>(boot, table, 0x80);           // active
    put<std::uint32_t>(boot, table + 1, 0xfffffe);  // cylinder, head and sector say: by LBA
    boot[table + 4] = static_cast<char>(uefi_system_partition);
    put<std::uint8_t>(boot, table + 5, 0xfe);
    put<std::uint16_t>(boot, table + 6, 0xffff);
    put<std::uint32_t>(boot, table + 8, partition_start);
    put<std::uint32_t>(boot, table + 12, partition_sectors);
    put<std::uint16_t>(boot, 0x1fe, 0xaa55);
    put<std::uint64_t>(core, first_block, 2);
    put<std::uint16_t>(core, first_block + 8, static_cast<std::uint16_t>(core_sectors - 1));
    put<std::uint16_t>(core, first_block + 10, core_segment);
    return boot + core;
}

}  // namespace

void write_iso(const fs::path& image, const BootImageOptions& options) {
    const Contents contents(options);
    const Workshop shop(image);
    const fs::path tree = shop.path("tree"), grub = tree / "boot/grub";
    contents.put(tree);
    make_bios_core(shop, "core.img", contents.name);
    make_uefi_loader(shop, "BOOTX64.EFI", contents.name);
    const fs::path bios = fs::path(grub_folder) / "i386-pc";
    write_file(grub / "eltorito.img", read_file(bios / "cdboot.img") + read_file(shop.path("core.img")));
    // A UEFI firmware starts EFI/BOOT/BOOTX64.EFI of this FAT file system, from a CD and from a stick.
    set_dates(shop.folder());
    shop.run("mtools",
             {"mformat", "-C", "-i", "tree/boot/grub/efi.img", "-f", "2880", "-N", "4F584530", "-v", "EXO_UEFI", "::"});
    shop.run("mtools", {"mmd", "-i", "tree/boot/grub/efi.img", "::EFI", "::EFI/BOOT"});
    shop.run("mtools", {"mcopy", "-m", "-i", "tree/boot/grub/efi.img", "BOOTX64.EFI", "::EFI/BOOT/BOOTX64.EFI"});
    set_dates(tree);
    shop.run("xorriso", {"xorriso",
                         "-as",
                         "mkisofs",
                         "-quiet",
                         "-o",
                         "image",
                         "-r",
                         "-V",
                         "EXO_OS",
                         "-graft-points",
                         "-b",
                         "boot/grub/eltorito.img",
                         "-no-emul-boot",
                         "-boot-load-size",
                         "4",
                         "-boot-info-table",
                         "--grub2-boot-info",
                         "--grub2-mbr",
                         (bios / "boot_hybrid.img").string(),
                         "--efi-boot",
                         "boot/grub/efi.img",
                         "-efi-boot-part",
                         "--efi-boot-image",
                         "--protective-msdos-label",
                         "tree"});
    shop.deliver(shop.path("image"));
}

void write_disk(const fs::path& image, const BootImageOptions& options) {
    const Contents contents(options);
    const Workshop shop(image);
    contents.put(shop.path("tree"));
    make_bios_core(shop, "core.img", contents.name);
    fs::create_directories(shop.path("tree/EFI/BOOT"));
    make_uefi_loader(shop, "tree/EFI/BOOT/BOOTX64.EFI", contents.name);
    write_file(shop.path("image"),
               boot_sectors(read_file(fs::path(grub_folder) / "i386-pc/boot.img"), read_file(shop.path("core.img"))));
    std::error_code failed;
    fs::resize_file(shop.path("image"), std::uint64_t{disk_sectors} * sector_bytes, failed);
    if (failed) fail_to_write(image, failed.value());
    set_dates(shop.path("tree"));
    const std::string partition = fmt::format("image@@{}", partition_start * sector_bytes);
    shop.run("mtools", {"mformat", "-i", partition, "-F", "-c", "1", "-N", fmt::format("{:08X}", volume_serial), "-v",
                        "EXO_OS", "-T", std::to_string(partition_sectors), "-h", std::to_string(heads), "-s",
                        std::to_string(track_sectors), "-H", std::to_string(partition_start), "::"});
    // Named one by one: the order decides where each lies.
    shop.run("mtools", {"mmd", "-i", partition, "::EFI", "::EFI/BOOT", "::boot", "::boot/grub"});
    for (const std::string& file : {std::string("EFI/BOOT/BOOTX64.EFI"), std::string("boot/exo.elf"),
                                    std::string("boot/grub/grub.cfg"), "boot/" + contents.name})
        shop.run("mtools", {"mcopy", "-m", "-i", partition, "tree/" + file, "::" + file});
    shop.deliver(shop.path("image"));
}

}  // namespace devenv
