// SPDX-License-Identifier: GPL-2.0-or-later
// The GNU assembler on many patterns at once: each stands behind its length in one flat section. It comes with the
// compiler.
#include <algorithm>
#include <cstring>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/samples.hpp>
#include <fstream>
#include <iterator>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>

namespace devenv {

namespace {

sim::ChildResult run(const std::filesystem::path& folder, std::vector<std::string> arguments) {
    const std::string program = arguments.front();
    try {
        sim::ChildResult result = sim::run_child({.arguments = std::move(arguments),
                                                  .folder = folder,
                                                  .environment = {{"LC_ALL", "C"}},
                                                  .timeout_s = 120,
                                                  .stop = &stop_requested()});
        if (result.interrupted) throw Failure(Exit::interrupted, "interrupted");
        return result;
    } catch (const sim::ProcessError& error) {
        throw Failure(Exit::missing, std::string(error.what()) + "; patterns in assembly need Debian's binutils");
    }
}

// A pattern a line, whose number is its index + first_line.
constexpr std::size_t first_line = 2;
std::string source_text(const SampleSet& set) {
    std::string text = ".intel_syntax noprefix\n";
    for (std::size_t i = 0; i < set.samples.size(); ++i) {
        const Sample& sample = set.samples[i];
        const std::string n = std::to_string(i);
        text += ".long exo_end" + n + "-exo_begin" + n + ";exo_begin" + n + ":;";
        if (sample.excluded.empty()) text += sample.assembly;
        text += ";exo_end" + n + ":\n";
    }
    return text;
}

// Excludes what the assembler complains about ("block.s:17: Error: no such instruction"). False: nothing found.
bool exclude_refused(SampleSet& set, std::string_view errors) {
    bool any = false;
    while (!errors.empty()) {
        const std::size_t end = errors.find('\n');
        const std::string_view line = errors.substr(0, end);
        errors.remove_prefix(end == std::string_view::npos ? errors.size() : end + 1);
        const std::size_t at = line.find(": Error: ");
        if (!line.starts_with("block.s:") || at == std::string_view::npos) continue;
        const std::size_t number = std::strtoul(line.data() + std::strlen("block.s:"), nullptr, 10);
        if (number < first_line || number - first_line >= set.samples.size()) continue;
        Sample& sample = set.samples[number - first_line];
        if (sample.excluded.empty())
            sample.excluded = "not assembled: " + std::string(line.substr(at + std::strlen(": Error: ")));
        any = true;
    }
    return any;
}

void take_code(SampleSet& set, const std::string& flat) {
    std::size_t at = 0;
    for (Sample& sample : set.samples) {
        std::uint32_t length = 0;
        if (flat.size() - at >= sizeof length) std::memcpy(&length, flat.data() + at, sizeof length);
        at += sizeof length;
        if (at > flat.size() || length > flat.size() - at)
            throw Failure(Exit::difference, "the assembler's output ends before its last pattern");
        const auto* const begin = reinterpret_cast<const std::uint8_t*>(flat.data()) + at;
        sample.code.assign(begin, begin + length);
        if (length == 0 && sample.excluded.empty()) sample.excluded = "not assembled: no instruction";
        at += length;
    }
}

}  // namespace

void assemble(SampleSet& set) {
    for (Sample& sample : set.samples) {  // directives could name files of this machine
        if (sample.assembly.find('.') != std::string::npos || sample.assembly.find('#') != std::string::npos)
            sample.excluded = "not assembled: directives and comments are not taken";
    }
    const sim::TemporaryFolder folder;
    for (;;) {
        std::ofstream(folder.path() / "block.s") << source_text(set);
        const sim::ChildResult result = run(folder.path(), {"as", "--64", "-o", "block.o", "block.s"});
        if (result.status == 0) break;
        if (!exclude_refused(set, result.errors))
            throw Failure(Exit::difference, "the assembler failed: " + sim::last_lines(result.errors, 3));
    }
    const sim::ChildResult result =
        run(folder.path(), {"objcopy", "-O", "binary", "-j", ".text", "block.o", "block.bin"});
    if (result.status != 0) throw Failure(Exit::difference, "objcopy failed: " + sim::last_lines(result.errors, 3));
    std::ifstream file(folder.path() / "block.bin", std::ios::binary);
    take_code(set, {std::istreambuf_iterator<char>(file), {}});
}

}  // namespace devenv
