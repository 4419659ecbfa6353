// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>
#include <cstring>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/llvm_mca.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>

namespace devenv {

namespace {

constexpr const char* programs[] = {"llvm-mca-22", "/usr/lib/llvm-22/bin/llvm-mca", "llvm-mca"};
constexpr const char* wanted = "LLVM version 22.";
constexpr unsigned few = 100, many = 300;

std::optional<sim::ChildResult> run(std::vector<std::string> arguments) {
    try {
        sim::ChildResult result = sim::run_child(
            {.arguments = std::move(arguments), .folder = {}, .timeout_s = 600, .stop = &stop_requested()});
        if (result.interrupted) throw Failure(Exit::interrupted, "interrupted");
        return result;
    } catch (const sim::ProcessError&) {
        return std::nullopt;
    }
}

// The program of the right version, and which that is.
std::string find_program(McaAnswer& answer) {
    for (const char* program : programs) {
        const auto result = run({program, "--version"});
        if (!result || result->status != 0) continue;
        const std::size_t at = result->output.find(wanted);
        if (at == std::string::npos) continue;
        const std::size_t begin = at + std::strlen("LLVM version ");
        answer.version = result->output.substr(begin, result->output.find_first_of(" \n", begin) - begin);
        return program;
    }
    answer.missing = "llvm-mca 22 is not installed (Debian package llvm-22)";
    return "";
}

struct Input {
    std::string text;
    std::vector<std::size_t> block_of_line;  // by line number - 1
};

Input make_input(const std::vector<std::vector<std::string>>& blocks, const std::vector<bool>& refused) {
    Input input;
    const auto line = [&input](const std::string& text, std::size_t block) {
        input.text += text + "\n";
        input.block_of_line.push_back(block);
    };
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (blocks[i].empty() || refused[i]) continue;
        line("# LLVM-MCA-BEGIN b" + std::to_string(i), i);
        for (const std::string& text : blocks[i]) line(text, i);
        line("# LLVM-MCA-END b" + std::to_string(i), i);
    }
    return input;
}

// Refuses the blocks of which "FILE:LINE:COLUMN: error:" speaks. False: none.
bool refuse(std::string_view errors, const std::string& file, const Input& input, std::vector<bool>& refused) {
    bool any = false;
    for (std::size_t at = 0; (at = errors.find(file + ":", at)) != std::string_view::npos;) {
        at += file.size() + 1;
        char* end = nullptr;
        const std::size_t number = std::strtoul(errors.data() + at, &end, 10);
        const std::string_view rest = errors.substr(at);
        const bool error = rest.substr(0, rest.find('\n')).find("error:") != std::string_view::npos;
        if (!error || number == 0 || number > input.block_of_line.size()) continue;
        refused[input.block_of_line[number - 1]] = true;
        any = true;
    }
    return any;
}

// Cycles in all, by block; empty if the output is none of llvm-mca's.
std::vector<double> total_cycles(const std::string& output, std::size_t blocks) {
    const nlohmann::json report = nlohmann::json::parse(output, nullptr, false);
    std::vector<double> cycles(blocks, 0);
    if (!report.is_object() || !report.contains("CodeRegions")) return {};
    for (const auto& region : report["CodeRegions"]) {
        const std::string name = region.value("Name", "");
        const std::size_t number = name.size() > 1 ? std::strtoul(name.c_str() + 1, nullptr, 10) : blocks;
        if (number < blocks && region.contains("SummaryView"))
            cycles[number] = region["SummaryView"].value("TotalCycles", 0.0);
    }
    return cycles;
}

std::vector<double> run_once(const std::string& program, const std::string& file, const std::string& cpu,
                             unsigned iterations, std::size_t blocks, std::string& errors) {
    const auto result =
        run({program, "-mtriple=x86_64-pc-linux-gnu", "-mcpu=" + cpu, "-iterations=" + std::to_string(iterations),
             "--json", "-instruction-info=false", "-resource-pressure=false", file});
    errors = result ? result->errors : "cannot be started";
    if (!result || result->status != 0) return {};
    return total_cycles(result->output, blocks);
}

}  // namespace

McaAnswer ask_llvm_mca(const std::vector<std::vector<std::string>>& blocks, const std::string& cpu) {
    McaAnswer answer;
    const std::string program = find_program(answer);
    if (program.empty()) return answer;
    const sim::TemporaryFolder folder;
    const std::string file = (folder.path() / "blocks.s").string();
    std::vector<bool> refused(blocks.size());
    std::vector<double> first, second;
    std::string errors;
    do {
        const Input input = make_input(blocks, refused);
        if (input.text.empty()) {
            answer.cycles.assign(blocks.size(), 0);
            return answer;
        }
        std::ofstream(file) << input.text;
        first = run_once(program, file, cpu, few, blocks.size(), errors);
        if (first.empty() && !refuse(errors, file, input, refused)) {
            answer.missing = program + " failed: " + sim::last_lines(errors, 2);
            return answer;
        }
    } while (first.empty());
    second = run_once(program, file, cpu, many, blocks.size(), errors);
    if (second.empty()) {
        answer.missing = program + " failed: " + sim::last_lines(errors, 2);
        return answer;
    }
    for (std::size_t i = 0; i < blocks.size(); ++i)
        answer.cycles.push_back(first[i] > 0 && second[i] > 0 ? (second[i] - first[i]) / (many - few) : 0);
    return answer;
}

}  // namespace devenv
