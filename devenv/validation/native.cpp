// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/environment.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/native.hpp>
#include <fstream>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>
#include <sstream>

namespace devenv {

namespace {

// "INDEX ok CYCLES SPREAD PAGES PASSES LOOP SPREAD" or "INDEX failed REASON".
bool take_line(const std::string& line, const std::vector<Sample*>& asked, std::size_t expected) {
    std::istringstream words(line);
    std::size_t index = 0;
    std::string what;
    if (!(words >> index >> what) || index != expected || index >= asked.size()) return false;
    Sample& sample = *asked[index];
    if (what == "ok") {
        unsigned pages = 0, passes = 0;
        double loop_spread = 0;
        if (!(words >> sample.unrolled >> sample.spread >> pages >> passes >> sample.loop >> loop_spread)) return false;
        sample.measured = sample.unrolled;
        sample.spread = std::max(sample.spread, loop_spread);
        if (std::min(sample.unrolled, sample.loop) <= 0) sample.excluded = "not measured: took no time";
        return true;
    }
    std::getline(words >> std::ws, sample.excluded);
    sample.excluded = "not measured: " + sample.excluded;
    return what == "failed";
}

}  // namespace

void measure_natively(std::vector<Sample>& samples, const std::vector<unsigned>& instructions,
                      const NativeOptions& options) {
    const std::filesystem::path program = environment().native_measurement();
    if (!std::filesystem::exists(program))
        throw Failure(Exit::missing, display(program) + ": is not built; ./exo-dev validate builds it");
    std::vector<Sample*> asked;
    const sim::TemporaryFolder folder;
    {
        std::ofstream file(folder.path() / "blocks");
        for (std::size_t i = 0; i < samples.size(); ++i) {
            if (!samples[i].excluded.empty()) continue;
            asked.push_back(&samples[i]);
            file << to_hex(samples[i].code) << ' ' << instructions[i] << '\n';
        }
        file.close();
        if (!file) throw Failure(Exit::difference, folder.path().string() + ": cannot be written: is the disk full?");
    }
    if (asked.empty()) return;
    std::vector<std::string> arguments = {program.string(), "--passes", std::to_string(options.passes)};
    if (options.processor) arguments.insert(arguments.end(), {"--processor", std::to_string(*options.processor)});
    arguments.push_back((folder.path() / "blocks").string());
    if (options.progress) options.progress("measuring " + std::to_string(asked.size()) + " blocks on this machine");
    const sim::ChildResult result =
        sim::run_child({.arguments = std::move(arguments), .folder = {}, .stop = &stop_requested()});
    if (result.interrupted) throw Failure(Exit::interrupted, "interrupted");
    if (result.status != 0) throw Failure(Exit::difference, "exo-measure failed: " + sim::last_lines(result.errors, 3));
    std::istringstream lines(result.output);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count)
        if (!take_line(line, asked, count))
            throw Failure(Exit::difference, "exo-measure said what it never says: " + line);
    if (count != asked.size()) throw Failure(Exit::difference, "exo-measure ended early");
}

}  // namespace devenv
