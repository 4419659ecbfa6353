// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev time: the timing model on a block of code alone: its throughput in the steady state, what limits it, and the
// way of each instruction through the core.
#include <unistd.h>

#include <devenv/block_batch.hpp>
#include <devenv/command_line.hpp>
#include <devenv/commands/time.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/view/block_report.hpp>
#include <memory>
#include <optional>
#include <sim/image/assembler.hpp>
#include <sim/image/function_code.hpp>

namespace devenv {

namespace {

using sim::timing::BlockMode;
using sim::timing::BlockTimer;

struct TimeOptions {
    std::optional<std::string> hex, assembly;
    std::string elf, symbol, syntax;
    BatchOptions batch{.file = "", .cpu = std::string(sim::default_cpu_model)};
    std::string mode = "unrolled";
    unsigned timeline = 0;
    bool json = false;
};

constexpr const char* examples =
    "  exo-dev time --hex 480fafc3                          one imul: 3 cycles, a dependency chain\n"
    "  exo-dev time --asm 'add rax, [rdi]; add rdi, 8'      Intel syntax\n"
    "  exo-dev time --asm 'addq (%rdi), %rax' --timeline 3  AT&T syntax, with a diagram of three iterations\n"
    "  exo-dev time --elf build/dev/kernel/exo.elf --symbol memcpy\n"
    "  exo-dev time --asm 'imul rax, rbx' --mode loop --json | jq .cycles\n"
    "  sed 1d blocks.csv | cut -d, -f1 | exo-dev time --batch -   hex,cycles for each line";

sim::Syntax syntax_of(const TimeOptions& options) {
    if (options.syntax == "att") return sim::Syntax::att;
    if (options.syntax == "intel" || !options.assembly) return sim::Syntax::intel;
    return sim::guess_syntax(*options.assembly);
}

struct Source {
    std::vector<std::uint8_t> bytes;
    std::string name;
};

Source source_of(const TimeOptions& options) {
    if (options.hex) return {parse_block(*options.hex), ""};
    if (options.assembly) {
        constexpr std::size_t bytes_most = sim::timing::block_bytes_most;
        return {sim::assemble(*options.assembly, syntax_of(options), bytes_most), ""};
    }
    const auto code = sim::function_code(options.elf, options.symbol);
    return {code.bytes, options.elf + ", " + code.symbol};
}

Exit time_block(const TimeOptions& options) {
    const int inputs =
        options.hex.has_value() + options.assembly.has_value() + !options.elf.empty() + !options.batch.file.empty();
    if (inputs != 1)
        throw Failure(Exit::usage, "time: give one block: --hex, --asm, --elf with --symbol, or --batch; see --help");
    BatchOptions batch = options.batch;
    batch.mode = options.mode == "loop" ? BlockMode::loop : BlockMode::unrolled;
    batch.json = options.json;
    try {
        if (!batch.file.empty()) return time_batch(batch);
        const Source source = source_of(options);
        BlockTimer timer(batch.cpu);
        const auto block = timer.read(source.bytes, batch.mode);
        const auto analysis = timer.analyse(block, options.timeline);
        BlockReport report = make_block_report(timer, block, analysis, batch.mode, syntax_of(options));
        report.source = source.name;
        standard_output().write(options.json ? json_document(block_json(report))
                                             : block_text(report, style_for(STDOUT_FILENO)));
    } catch (const sim::timing::BlockError& error) {
        throw Failure(Exit::usage, (options.elf.empty() ? "" : options.elf + ", " + options.symbol + ": ") +
                                       std::string(error.what()));
    } catch (const sim::AssemblyError& error) {
        throw Failure(Exit::usage, error.what());
    }
    return Exit::done;
}

}  // namespace

void add_time(CommandLine& line) {
    constexpr unsigned timeline_most = 100;
    CLI::App* app = line.command("time", "The timing model on a block of code: cycles, bottleneck, timeline", examples);
    const auto options = std::make_shared<TimeOptions>();
    app->add_option("--hex", options->hex, "The block's bytes as hexadecimal digits");
    app->add_option("--asm", options->assembly, "The block as assembly text; lines or ; between instructions");
    CLI::Option* elf = app->add_option("--elf", options->elf, "An ELF file that has the block as a function");
    CLI::Option* symbol = app->add_option("--symbol", options->symbol, "The function's name; timed as a straight line");
    symbol->needs(elf);
    elf->needs(symbol);
    app->add_option("--batch", options->batch.file,
                    "A file with the hex digits of a block a line, or - for stdin; prints hex,cycles for each");
    app->add_option("--syntax", options->syntax,
                    "att or intel: of --asm and of what is printed (default: AT&T if there is a % or $, else Intel)")
        ->check(CLI::IsMember({"att", "intel"}));
    app->add_option("--mode", options->mode,
                    "unrolled (default): copies in a row; loop: with a counter and a taken branch")
        ->check(CLI::IsMember({"loop", "unrolled"}));
    app->add_option("--timeline", options->timeline, "Show the way of each instruction in so many iterations (1-100)")
        ->transform(whole_number(1, timeline_most));
    app->add_option("--cpu", options->batch.cpu, "The CPU that is modelled, or the path of its file (default znver4)");
    app->add_flag("--json", options->json, "One JSON document on stdout; with --batch one a line");
    line.does(app, [options] { return time_block(*options); });
}

}  // namespace devenv
