// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev trace: what is in a trace file.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/commands/trace_retime.hpp>
#include <devenv/commands/trace_show.hpp>
#include <devenv/environment.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/spending_report.hpp>
#include <memory>
#include <sim/trace/trace.hpp>

namespace devenv {

namespace {

struct InfoOptions {
    std::string file;
    bool json = false;
};

// What only reading all of it shows.
struct Contents {
    sim::Spending spent;  // less and more alone
    std::string damage;
};

Contents read_all(sim::TraceReader& reader) {
    Contents contents;
    sim::TraceVisitor visitor;
    const auto add = [&](const sim::RetireTime& time) {
        contents.spent.less += time.less;
        contents.spent.more += time.more;
    };
    visitor.block = [&](const sim::Block&, std::span<const sim::RetireTime> times, sim::Cycle) {
        for (const sim::RetireTime& time : times) add(time);
        return !interrupted();
    };
    visitor.transfer_time = [&](const sim::Transfer&, sim::RetireTime time) { return add(time), true; };
    contents.damage = reader.walk(0, visitor).value_or("");
    contents.spent.instructions = reader.info().instructions;
    contents.spent.cycles = reader.info().cycles;
    contents.spent.placeholder_cycles = reader.info().placeholder_cycles;
    return contents;
}

Json info_json(const sim::TraceReader& reader, const Contents& contents) {
    const std::string& damage = contents.damage;
    const sim::TraceInfo& i = reader.info();
    return {{"schema", report_schema},
            {"format", i.format},
            {"engine", i.engine},
            {"engine_version", i.engine_version},
            {"cpu", i.cpu},
            {"model", i.model},
            {"model_cpu", i.model_cpu},
            {"image", i.image_name},
            {"build_id", i.build_id},
            {"command_line", i.command_line},
            {"clock", i.clock},
            {"seed", i.seed},
            {"jitter", i.jitter},
            {"irq_at", i.irq_at},
            {"cpus", i.cpus},
            {"quantum", i.quantum},
            {"ram_mib", i.ram_bytes >> 20},
            {"complete", i.complete && damage.empty()},
            {"damage", damage.empty() ? Json(nullptr) : Json(damage)},
            {"stop", i.stop},
            {"instructions", i.instructions},
            {"cycles", i.cycles},
            {"cycles_range", range_json(i.cycles, contents.spent.less, contents.spent.more)},
            {"placeholder_cycles", i.placeholder_cycles},
            {"bytes", reader.file_bytes()}};
}

std::string info_text(const sim::TraceReader& reader, const Contents& contents) {
    const sim::TraceInfo& i = reader.info();
    const double per_instruction =
        i.instructions ? static_cast<double>(reader.file_bytes()) / static_cast<double>(i.instructions) : 0;
    std::string out;
    const auto line = [&out](const char* name, const std::string& value) {
        out += "  " + std::string(name) + std::string(14 - std::string_view(name).size(), ' ') + value + "\n";
    };
    line("format", std::to_string(i.format));
    line("image", i.image_name + ", build id " + i.build_id);
    line("command line", i.command_line);
    line("machine", std::to_string(i.cpus) + (i.cpus > 1 ? " CPUs, quantum " + grouped(i.quantum) : " CPU") + ", " +
                        byte_size(i.ram_bytes) + " of RAM");
    line("engine", i.engine + " " + i.engine_version + ", CPU " + i.cpu);
    line("timing model", i.model + " (" + i.model_cpu + ")");
    line("clock", i.clock + ", seed " + std::to_string(i.seed) + (i.jitter ? ", jitter" : ""));
    line("stop", i.complete ? i.stop : "(the file ends early)");
    line("instructions", grouped(i.instructions));
    line("cycles", grouped(i.cycles) + " (" + certainty_text(contents.spent) + ")");
    line("size", byte_size(reader.file_bytes()) + ", " + decimal(per_instruction, 2) + " bytes an instruction");
    return out;
}

void add_file(CLI::App& app, std::string& file) {
    file = environment().trace().string();
    app.add_option("file", file, "Trace file (default build/sim.trace, where sim writes)");
}

// Reads the whole file, so that damage anywhere in it is found.
Exit info(const InfoOptions& options) {
    const auto reader = sim::TraceReader::open(options.file);
    const Contents contents = read_all(*reader);
    if (interrupted()) return Exit::interrupted;
    standard_output().write(options.json ? json_document(info_json(*reader, contents)) : info_text(*reader, contents));
    standard_output().flush();
    if (!contents.damage.empty()) spdlog::error("{}", contents.damage);
    return contents.damage.empty() ? Exit::done : Exit::difference;
}

void add_info(CommandLine& line, CLI::App* parent) {
    CLI::App* app = line.command(parent, "info", "What a trace file holds, and whether it is sound",
                                 "  exo-dev trace info build/sim.trace\n"
                                 "  exo-dev trace info build/sim.trace --json | jq .cycles");
    const auto options = std::make_shared<InfoOptions>();
    add_file(*app, options->file);
    app->add_flag("--json", options->json, "One JSON document on stdout");
    line.does(app, [options] { return info(*options); });
}

void add_show(CommandLine& line, CLI::App* parent) {
    CLI::App* app =
        line.command(parent, "show", "Instructions with address, symbol, source line, disassembly and cycle",
                     "  exo-dev trace show                            the first 40 instructions of the last sim\n"
                     "  exo-dev trace show my.trace --from 100000 --count 200\n"
                     "  exo-dev trace show --mark boot:1              one window, from its begin to its end\n"
                     "  exo-dev trace show --symbol memset --accesses\n"
                     "  exo-dev trace show --mark user.null_call:500 --pipeline --warm-up 100000\n"
                     "  exo-dev trace show --json --count 1000 | jq -c 'select(.delta > 50)'");
    const auto options = std::make_shared<ShowOptions>();
    add_file(*app, options->file);
    app->add_option("--from", options->from, "First instruction, by its number (default 0)")->transform(whole_number());
    app->add_option("--count", options->count, "Instructions to show (default 40; with --mark: the whole window)")
        ->transform(whole_number());
    CLI::Option* mark =
        app->add_option("--mark", options->mark, "NAME or NAME:K: the K-th window of this mark (default 1)");
    app->add_option("--symbol", options->symbol,
                    "Only instructions of this function: NAME, 0xADDRESS or NAME@0xADDRESS")
        ->excludes(mark);
    app->add_flag("--accesses", options->accesses, "Also memory accesses: kind, size, addresses");
    CLI::Option* pipeline =
        app->add_flag("--pipeline", options->pipeline,
                      "When each was fetched, dispatched, issued, complete and retired, and what it waited for: the "
                      "model runs again, from the trace's beginning");
    app->add_option("--warm-up", options->warm_up,
                    "With --pipeline: run the model only from so many instructions before the first that is shown")
        ->transform(whole_number())
        ->needs(pipeline);
    app->add_option("--syntax", options->syntax, "att or intel (default)")->check(CLI::IsMember({"att", "intel"}));
    app->add_flag("--json", options->json, "JSON lines: an instruction or event a line");
    line.does(app, [options] { return show_trace(*options); });
}

}  // namespace

void add_trace(CommandLine& line) {
    CLI::App* app = line.command("trace", "Look into a trace file", "  exo-dev trace show build/sim.trace --mark boot");
    app->require_subcommand(1);
    add_info(line, app);
    add_show(line, app);
    add_retime(line, app);
}

}  // namespace devenv
