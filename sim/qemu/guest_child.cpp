// SPDX-License-Identifier: GPL-2.0-or-later
#include <fstream>
#include <sim/board/text.hpp>
#include <sim/image/image.hpp>
#include <sim/qemu/guest_child.hpp>

namespace sim::qemu {

Child guest_child(const Program& program, const RunConfig& config, const std::filesystem::path& folder) {
    if (!config.image->pvh_entry())
        throw EngineError(config.image->name() + ": has no PVH note, by which QEMU would start it");
    const std::filesystem::path kernel = folder / "kernel.elf";
    std::ofstream file(kernel, std::ios::binary);
    const auto bytes = config.image->bytes();
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) throw EngineError(kernel.string() + ": cannot be written; is the disk full?");
    // The smallest firmware: SeaBIOS executes 16 M instructions before the kernel's first, more than our whole tour.
    return {.arguments = arguments({.boot = Boot::qboot,
                                    .cpus = config.cpus,
                                    .ram_bytes = config.ram_bytes,
                                    .kernel = kernel,
                                    .guest_command_line = config.command_line},
                                   program),
            .on_output = [](std::string_view) {},
            .private_folder = folder};
}

void add_stream(Child& child, const std::filesystem::path& plugin, const StreamReader& reader, const Image& image) {
    child.arguments.insert(child.arguments.end(),
                           {"-plugin", plugin.string() + text(",memory=%d,doorbell=%d,entry=%#llx", reader.memory(),
                                                              reader.producer_doorbell(),
                                                              static_cast<unsigned long long>(*image.pvh_entry()))});
    child.inherit.insert(child.inherit.end(), {reader.memory(), reader.producer_doorbell()});
}

}  // namespace sim::qemu
