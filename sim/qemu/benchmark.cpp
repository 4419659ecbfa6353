// SPDX-License-Identifier: GPL-2.0-or-later
#include <optional>
#include <sim/image/image.hpp>
#include <sim/process/temporary_folder.hpp>
#include <sim/qemu/benchmark.hpp>
#include <sim/qemu/guest_child.hpp>

namespace sim::qemu {

namespace {
using namespace std::chrono_literals;

void drain(StreamReader& reader, ChildProcess& process, const RunConfig& config) {
    reader.producer_started();
    while (!config.stop || !*config.stop) {
        const bool words = !reader.next(10ms).empty();
        if (words) reader.release();
        if (!process.pump(0ms) && !words && reader.next(0ms).empty()) return;
    }
}
}  // namespace

bool run_raw(const RunConfig& config, RawLayer layer, const std::filesystem::path& plugin) {
    try {
        const TemporaryFolder folder;
        std::optional<StreamReader> reader;
        Child child = guest_child(find_program(), config, folder.path());
        if (layer == RawLayer::plugin) add_stream(child, plugin, reader.emplace(), *config.image);
        ChildProcess process(std::move(child));
        if (reader) drain(*reader, process, config);
        while ((!config.stop || !*config.stop) && process.pump(10ms)) {
        }
        if (config.stop && *config.stop) return false;
        if (process.result().status != exit_success)
            throw EngineError(config.image->name() +
                              ": does not run to its end in QEMU: " + last_lines(process.result().errors, 3));
        return true;
    } catch (const ProcessError& error) {
        throw EngineError(error.what());
    }
}

}  // namespace sim::qemu
