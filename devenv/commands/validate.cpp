// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev validate: the timing model beside hardware: blocks measured here and now, or a file of measurements.
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <sim/timing/cpu.hpp>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/environment.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/validation/loops.hpp>
#include <devenv/validation/native.hpp>
#include <devenv/view/loops_report.hpp>
#include <devenv/view/scatter_plot.hpp>
#include <devenv/view/shapes_report.hpp>
#include <devenv/view/validation_report.hpp>
#include <fstream>
#include <memory>

namespace devenv {

namespace {

struct ValidateOptions {
    std::vector<std::string> measured, blocks, hex;
    std::string cpu, plot, primitive, save;
    std::optional<std::string> loop;
    std::optional<std::string> record;
    std::uint64_t limit = 0, passes = 6, worst = 10;
    std::optional<std::uint64_t> processor;
    bool json = false, without_mca = false, without_primitives = false, without_loops = false, shapes = false,
         model_only = false;
};

constexpr const char* examples =
    "  exo-dev validate --measured sim/timing/data/zen4-blocks.csv   the model beside blocks measured on Zen 4\n"
    "  exo-dev validate                                              measure those blocks and patterns here, and "
    "compare\n"
    "  exo-dev validate --cpu znver4 --limit 50 --plot error.svg     50 of each, compared with that CPU's model\n"
    "  exo-dev validate --blocks sim/timing/data/zen4-micro.tsv --save here.tsv   a table of this machine's figures\n"
    "  exo-dev validate --hex 4801d8 --json                          one block: add rax, rbx";

std::filesystem::path data_folder() { return environment().root / "sim" / "timing" / "data"; }

// Evenly spread over the set, so that a part of it stands for the whole.
void keep(SampleSet& set, std::uint64_t limit) {
    if (limit == 0 || set.samples.size() <= limit) return;
    std::vector<Sample> kept;
    for (std::uint64_t i = 0; i < limit; ++i) kept.push_back(std::move(set.samples[i * set.samples.size() / limit]));
    set.samples = std::move(kept);
}

std::vector<SampleSet> read_sets(const ValidateOptions& options) {
    std::vector<SampleSet> sets;
    const bool measured = !options.measured.empty();
    if (!options.hex.empty()) {
        SampleSet& set = sets.emplace_back();
        set.name = "--hex";
        for (const std::string& digits : options.hex) {
            const auto code = parse_hex(digits);
            if (!code) throw Failure(Exit::usage, "--hex: '" + digits + "' is no block in hexadecimal digits");
            Sample sample;
            sample.name = digits;
            sample.code = *code;
            set.samples.push_back(std::move(sample));
        }
    }
    std::vector<std::filesystem::path> files;
    for (const std::string& file : measured ? options.measured : options.blocks) files.emplace_back(file);
    if (sets.empty() && files.empty() && options.primitive.empty() && !options.loop)
        files = {data_folder() / "zen4-blocks.csv", data_folder() / "zen4-micro.tsv"};
    for (const std::filesystem::path& file : files) sets.push_back(read_samples(file, measured));
    for (SampleSet& set : sets) {
        keep(set, options.limit);
        if (set.patterns) assemble(set);
    }
    return sets;
}

// What is modelled is the steady state, which is that of a loop. Of the blocks of a file only those count that take the
// same unrolled: else it is the fetching of code or what values become that decides, and the model knows neither.
void settle(Sample& sample, bool compare_both) {
    constexpr double agreement = 0.05, grain_cycles = 0.02;
    if (!sample.excluded.empty() || sample.loop <= 0) return;
    sample.measured = sample.loop;
    if (!compare_both) return;
    sample.measured = sample.unrolled;
    if (std::abs(sample.unrolled - sample.loop) > std::max(agreement * sample.loop, grain_cycles))
        sample.excluded = "not measured: unrolled and in a loop it takes different times";
}

void measure(SampleSet& set, const std::vector<BlockFacts>& facts, const ValidateOptions& options) {
    std::vector<unsigned> instructions;
    for (const BlockFacts& one : facts) instructions.push_back(one.instructions);
    NativeOptions native;
    native.passes = static_cast<unsigned>(options.passes);
    if (options.processor) native.processor = static_cast<unsigned>(*options.processor);
    native.progress = [&set](std::string_view line) { spdlog::info("{}: {}", set.name, line); };
    for (Sample& sample : set.samples) sample.measured = sample.spread = 0;
    measure_natively(set.samples, instructions, native);
    for (Sample& sample : set.samples) settle(sample, !set.patterns && options.hex.empty());
}

std::string today() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[16];
    std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
    return text;
}

std::filesystem::path record_path(const ValidateOptions& options, const std::string& cpu) {
    return options.record->empty() ? data_folder() / (cpu + ".validation.json")
                                   : std::filesystem::path(*options.record);
}

// Nothing but an earlier record is written over.
void check_record_path(const std::filesystem::path& path) {
    if (!std::filesystem::is_directory(path.has_parent_path() ? path.parent_path() : "."))
        throw Failure(Exit::usage, display(path) + ": --record: there is no such folder");
    if (!std::filesystem::exists(path)) return;
    std::ifstream file(path);
    const Json there = std::filesystem::is_regular_file(path) ? Json::parse(file, nullptr, false) : Json();
    if (!there.is_object() || !there.contains("sets") || !there.contains("measured_on"))
        throw Failure(Exit::usage,
                      display(path) + ": --record: this is not a record of a validation; name another file");
}

void write_record(const std::filesystem::path& path, const Json& record) {
    std::ofstream file(path);
    file << record.dump(2) << "\n";
    file.close();
    if (!file)
        throw Failure(Exit::difference, display(path) + ": cannot be written: is the disk full, or is it yours?");
    spdlog::info("recorded in {}", display(path));
}

Json machine_json(const NativeCpu& native) {
    return {{"cpu", native.brand},
            {"family", native.family},
            {"model", native.model},
            {"name", native.name},
            {"virtual", native.emulated_or_virtual}};
}

std::string machine_text(const NativeCpu& native) {
    return native.brand + " (family " + std::to_string(native.family) + ", model " + std::to_string(native.model) +
           (native.name.empty() ? "" : ", " + native.name) + (native.emulated_or_virtual ? ", virtual" : "") + ")";
}

bool has_model(const std::string& cpu) {
    const std::vector<std::string> names = sim::timing::cpu_names();
    return std::ranges::find(names, cpu) != names.end();
}

struct Session {
    NativeCpu native = native_cpu();
    std::string cpu;      // the model's; empty: none, print what was measured
    std::string remarks;  // lines for people
    std::string measured_on;
};

Session begin(const ValidateOptions& options) {
    Session session;
    const bool natively = options.measured.empty() && !options.model_only;
    session.measured_on = natively ? session.native.brand : "the machine named beside the data";
    session.cpu = options.cpu;
    if (!natively) {
        if (session.cpu.empty()) session.cpu = "znver4";
        return session;
    }
    session.remarks = "  measured on " + machine_text(session.native) + "\n";
    if (session.cpu.empty() && has_model(session.native.name)) session.cpu = session.native.name;
    if (session.cpu.empty())
        session.remarks += "  There is no model of this CPU: name one to compare with, as in --cpu znver4.\n";
    else if (session.cpu != session.native.name)
        session.remarks += "  This is not a " + session.cpu + ": what differs may be the CPU, not the model.\n";
    return session;
}

Exit report(const ValidateOptions& options, const Session& session, const std::vector<SampleSet>& sets,
            const std::vector<Comparison>& comparisons, const std::vector<Primitive>& primitives,
            const std::vector<LoopResult>& loops) {
    const Style style = style_for(STDOUT_FILENO);
    const bool natively = options.measured.empty();
    if (options.json) {
        Json document = {{"schema", report_schema}, {"cpu", session.cpu}, {"native", natively}};
        if (natively) document["machine"] = machine_json(session.native);
        Json list = Json::array();
        for (const Comparison& comparison : comparisons) list.push_back(comparison_json(comparison));
        if (session.cpu.empty())
            for (const SampleSet& set : sets) list.push_back(measurements_json(set));
        document["sets"] = list;
        if (!primitives.empty()) document["primitives"] = primitives_json(primitives);
        if (!loops.empty()) document["loops"] = loops_json(loops);
        standard_output().write(json_document(document));
    } else {
        std::string text = session.remarks + (session.remarks.empty() ? "" : "\n");
        for (const Comparison& comparison : comparisons)
            text += comparison_text(comparison, options.worst, style) + "\n";
        if (session.cpu.empty())
            for (const SampleSet& set : sets) text += measurements_text(set, 40, style) + "\n";
        if (!primitives.empty()) text += primitives_text(primitives, session.cpu, style);
        if (!loops.empty()) text += (primitives.empty() ? "" : "\n") + loops_text(loops, session.cpu, style);
        standard_output().write(text);
    }
    if (!options.plot.empty() && !comparisons.empty()) {
        write_scatter_plot(options.plot, comparisons);
        spdlog::info("plotted in {}", display(options.plot));
    }
    if (options.record && !comparisons.empty()) {
        const std::filesystem::path path = record_path(options, session.cpu);
        write_record(path, record_json(comparisons, today(), session.measured_on));
    }
    for (const Primitive& one : primitives)
        if (one.excluded.empty()) return Exit::done;
    for (const LoopResult& one : loops)
        if (one.excluded.empty()) return Exit::done;
    // Asked to compare, there was nothing that could be.
    for (const Comparison& comparison : comparisons)
        if (!comparison.blocks.empty()) return Exit::done;
    for (const SampleSet& set : sets)
        for (const Sample& sample : set.samples)
            if (session.cpu.empty() && sample.excluded.empty()) return Exit::done;
    return Exit::difference;
}

// The steps of memory, here and in the model, instead of blocks.
Exit validate_shapes(const ValidateOptions& options, const Session& session) {
    const std::vector<Shape> shapes =
        measure_shapes(session.cpu, !options.model_only, [](std::string_view id) { spdlog::info("shape: {}", id); });
    if (options.json) {
        Json document = {{"schema", report_schema}, {"cpu", session.cpu}, {"native", !options.model_only}};
        if (!options.model_only) document["machine"] = machine_json(session.native);
        document["shapes"] = shapes_json(shapes);
        standard_output().write(json_document(document));
    } else {
        const std::string remarks = options.model_only ? "" : session.remarks + "\n";
        standard_output().write(remarks + shapes_text(shapes, session.cpu, style_for(STDOUT_FILENO)));
    }
    if (!options.plot.empty()) {
        write_shapes_plot(options.plot, shapes, session.cpu);
        spdlog::info("plotted in {}", display(options.plot));
    }
    return Exit::done;
}

Exit validate(const ValidateOptions& options) {
    if (!options.plot.empty()) check_plot_path(options.plot);
    const Session session = begin(options);
    if (options.shapes) return validate_shapes(options, session);
    if (options.record && !session.cpu.empty()) check_record_path(record_path(options, session.cpu));
    if (session.cpu.empty() && (!options.plot.empty() || options.record))
        throw Failure(Exit::usage,
                      "--plot and --record compare with a model, and there is none of this CPU: name one, "
                      "as in --cpu znver4");
    std::vector<SampleSet> sets = read_sets(options);
    const auto is_pattern = [](const SampleSet& set) { return set.patterns; };
    if (!options.save.empty() && std::ranges::any_of(sets, is_pattern) && !std::ranges::all_of(sets, is_pattern))
        throw Failure(Exit::usage, "--save writes blocks or patterns, not both: measure one kind, with --blocks FILE");
    BlockModel model(session.cpu.empty() ? "znver4" : session.cpu);  // without a CPU, only to look at the code
    std::vector<Comparison> comparisons;
    for (SampleSet& set : sets) {
        const bool natively = options.measured.empty();
        std::vector<BlockFacts> facts = examine(set, model, natively);
        if (natively) measure(set, facts, options);
        if (!session.cpu.empty()) comparisons.push_back(compare(set, std::move(facts), model, !options.without_mca));
    }
    if (!options.save.empty()) {
        write_samples(options.save, sets);
        spdlog::info("saved in {}", display(options.save));
    }
    std::vector<Primitive> primitives;
    const bool everything = options.measured.empty() && options.blocks.empty() && options.hex.empty();
    const bool one_kind = !options.primitive.empty() || options.loop;
    if (!options.primitive.empty() || (everything && !one_kind && !options.without_primitives)) {
        spdlog::info("primitives of the kernel: measuring, then tracing each");
        primitives = measure_primitives(session.cpu, options.primitive);
    }
    std::vector<LoopResult> loops;
    if (options.loop || (everything && !one_kind && !options.without_loops))
        loops = measure_loops(session.cpu, options.loop.value_or(""),
                              [](std::string_view id) { spdlog::info("classic loop: {}", id); });
    return report(options, session, sets, comparisons, primitives, loops);
}

}  // namespace

void add_validate(CommandLine& line) {
    CLI::App* app = line.command("validate", "The timing model's error against hardware", examples);
    const auto options = std::make_shared<ValidateOptions>();
    CLI::Option* measured = app->add_option("--measured", options->measured,
                                            "Compare with a file of measurements (.csv of blocks, .tsv of patterns) "
                                            "instead of measuring");
    app->add_option("--blocks", options->blocks, "Measure the blocks or patterns of these files here")
        ->excludes(measured);
    app->add_option("--hex", options->hex, "Measure this block here")->excludes(measured);
    app->add_option("--cpu", options->cpu,
                    "Compare with the model of this CPU (default: this machine's; of a file: znver4)");
    app->add_option("--limit", options->limit, "So many blocks of each file, evenly spread")
        ->transform(whole_number(1));
    app->add_option("--passes", options->passes, "Passes over a block at most; two must agree within 2 % (default 6)")
        ->transform(whole_number(2, 1000))
        ->excludes(measured);
    app->add_option("--processor", options->processor, "Measure on this processor (default: where it happens to run)")
        ->transform(whole_number(0, 1023))
        ->excludes(measured);
    app->add_option("--worst", options->worst, "So many of the worst blocks are listed (default 10)")
        ->transform(whole_number(0, 100000));
    app->add_flag("--no-mca", options->without_mca, "Do not ask llvm-mca");
    app->add_option("--primitive", options->primitive, "Only this primitive of the kernel, by its id in exo-dev bench")
        ->excludes(measured);
    app->add_flag("--no-primitives", options->without_primitives, "Blocks and patterns only");
    app->add_option(
           "--loop", options->loop,
           "Only the classic loops (copies, pointer chases, strides, branches) whose id contains this; alone: all")
        ->expected(0, 1)
        ->excludes(measured);
    app->add_flag("--shapes", options->shapes,
                  "Only where the costs of memory step: working sets, pages, strides, 1 to 10,000 threads")
        ->excludes(measured);
    app->add_flag("--model-only", options->model_only, "With --shapes: the model alone, nothing is measured")
        ->needs("--shapes");
    app->add_flag("--no-loops", options->without_loops, "Without the classic loops");
    app->add_option("--plot", options->plot, "Scatter plot, .svg or .png (needs gnuplot)");
    app->add_option("--record", options->record,
                    "Write the summary that `exo-dev cpus` shows (default file: sim/timing/data/CPU.validation.json)")
        ->expected(0, 1);
    app->add_option("--save", options->save, "Write what was measured here to this file, as --measured reads it")
        ->excludes(measured);
    app->add_flag("--json", options->json, "One JSON document on stdout");
    line.does(app, [options] { return validate(*options); });
}

}  // namespace devenv
