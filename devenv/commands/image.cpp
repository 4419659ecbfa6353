// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev image: what a PC boots: exo.iso for CDs and USB sticks, exo.img for disks.
#include <devenv/boot_image.hpp>
#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/environment.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <memory>

namespace devenv {

namespace {

struct ImageOptions {
    BootImageOptions boot;
    std::string kernel, folder;
    bool json = false;
};

constexpr const char* examples =
    "  exo-dev image                             build/exo.iso and build/exo.img\n"
    "  exo-dev image --cmdline 'end=key'         the menu's first entry waits for a key at its end\n"
    "  exo-dev image -o /tmp/out --json          in another folder; what was made, as JSON";

Exit make_images(const ImageOptions& given) {
    BootImageOptions options = given.boot;
    options.kernel = given.kernel.empty() ? environment().kernel() : std::filesystem::path(given.kernel);
    const std::filesystem::path folder =
        given.folder.empty() ? environment().root / "build" : std::filesystem::path(given.folder);
    const std::filesystem::path iso = folder / "exo.iso", disk = folder / "exo.img";
    write_iso(iso, options);
    write_disk(disk, options);
    Output& out = standard_output();
    if (given.json) {
        Json images = Json::array();
        for (const auto& [kind, path] : {std::pair("iso", iso), std::pair("disk", disk)})
            images.push_back({{"kind", kind}, {"path", path.string()}, {"bytes", std::filesystem::file_size(path)}});
        out.write(json_document({{"schema", report_schema},
                                 {"kernel", options.kernel.string()},
                                 {"command_line", options.command_line},
                                 {"images", images}}));
        return Exit::done;
    }
    for (const auto& [path, what] :
         {std::pair(iso, "CD or USB stick, BIOS and UEFI"), std::pair(disk, "disk or USB stick, BIOS and UEFI")})
        out.write(display(path) + "  " + byte_size(std::filesystem::file_size(path)) + "  " + what + "\n");
    return Exit::done;
}

}  // namespace

void add_image(CommandLine& line) {
    CLI::App* app = line.command("image", "Make what a PC boots: exo.iso and exo.img", examples);
    const auto options = std::make_shared<ImageOptions>();
    app->add_option("-o,--output", options->folder, "Folder for exo.iso and exo.img (default: build)");
    app->add_option("--cmdline", options->boot.command_line, "The kernel's command line in the menu's first entry");
    app->add_option("--kernel", options->kernel, "Kernel image (default: the one just built)");
    app->add_option("--menu", options->boot.menu_seconds, "Seconds before the first entry starts by itself (default 2)")
        ->transform(whole_number(0, 3600));
    app->add_option("--screen", options->boot.screen,
                    "With a BIOS: text (default, 80x25), auto or a mode such as 1024x768x32, if the machine has it");
    app->add_flag("--json", options->json, "One JSON document on stdout");
    line.does(app, [options] { return make_images(*options); });
}

}  // namespace devenv
