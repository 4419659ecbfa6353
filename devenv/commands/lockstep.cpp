// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev lockstep: the image in QEMU and in Unicorn at once, compared before every instruction.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/engines.hpp>
#include <devenv/environment.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/lockstep_report.hpp>
#include <devenv/view/marks_report.hpp>
#include <devenv/view/progress.hpp>
#include <devenv/view/run_report.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <sim/bochs/configuration.hpp>
#include <sim/bochs/marks.hpp>
#include <sim/image/image.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <sim/lockstep/marks.hpp>
#include <sim/lockstep/sequences/sequences.hpp>

namespace devenv {

namespace {

struct LockstepOptions {
    Scenario scenario;
    std::string kernel;
    std::string states = "auto";
    unsigned sequences = 0;
    std::string marks;  // the third engine, "bochs", or empty
    unsigned each = sim::mark_stops_default;
    std::string bochs_cpu{sim::bochs::default_cpu};
    bool known = false, markdown = false, json = false;
};

constexpr const char* examples =
    "  exo-dev lockstep                              the tour: every instruction in both engines\n"
    "  exo-dev lockstep --limit 50000                the first 50,000 instructions; ends with status 5\n"
    "  exo-dev lockstep --scenario contract\n"
    "  exo-dev lockstep --states log --limit 50000   without the plugin: QEMU's own log, fifty times as slow\n"
    "  exo-dev lockstep --marks bochs                the tour, and then Bochs against both, from mark to mark\n"
    "  exo-dev lockstep --sequences 304 --seed 7     generated ones: flags, strings, exceptions, rings, SSE, x87\n"
    "  exo-dev lockstep --kernel my.elf --json | jq .difference\n"
    "  exo-dev lockstep --known                      what engines may do differently, why, and whose fault it is";

Exit show_known(const LockstepOptions& options) {
    Output& out = standard_output();
    if (options.json) out.write(json_document(known_differences_json()));
    else out.write(options.markdown ? known_differences_markdown() : known_differences_text(style_for(STDOUT_FILENO)));
    out.flush();
    return Exit::done;
}

Exit judge(const sim::LockstepResult& result) {
    if (result.difference) return Exit::difference;
    const bool power_off = result.run.stop == sim::StopReason::power_off;
    if (power_off && (result.ram_differing || result.leader_console != result.follower_console)) {
        spdlog::error("every state was equal, but {} differs at the end",
                      result.ram_differing ? "RAM" : "the console's text");
        return Exit::difference;
    }
    if (!power_off) spdlog::error("{}: {}", sim::name(result.run.stop), result.run.detail);
    return exit_for(result.run.stop);
}

// CPU features that all three engines have. Two alone are given one CPU by their own means.
constexpr std::string_view common_features = "features=smep,smap,pge";

std::string guest_command_line(const LockstepOptions& options) {
    Scenario scenario = options.scenario;
    const bool chosen = (" " + scenario.command_line).find(" features=") != std::string::npos;
    if (!options.marks.empty() && !chosen)
        scenario.command_line =
            std::string(common_features) + (scenario.command_line.empty() ? "" : " ") + scenario.command_line;
    return scenario.guest_command_line();
}

sim::LockstepConfig configure(const LockstepOptions& options, const sim::Image* image,
                              const std::filesystem::path& kernel) {
    sim::LockstepConfig config;
    config.image = image;
    config.image_path = kernel;
    config.plugin = environment().build / "sim" / "lockstep" / "exo-lockstep-qemu.so";
    config.command_line = guest_command_line(options);
    config.ram_bytes = options.scenario.ram_mib << 20;
    config.limit = options.scenario.limit;
    config.stop = &stop_requested();
    config.states = options.states == "plugin" ? sim::LeaderStates::plugin
                    : options.states == "log"  ? sim::LeaderStates::log
                                               : sim::LeaderStates::automatic;
    config.notice = [](std::string_view why) { spdlog::warn("{}", why); };
    return config;
}

Exit run_generated(const LockstepOptions& options) {
    const Environment where = environment();
    sim::LockstepConfig config = configure(options, nullptr, {});
    const sim::lockstep::SequencesResult result = sim::lockstep::run_sequences(
        config, where.build / "sim" / "lockstep" / "exo-sequences.elf", options.sequences, options.scenario.seed);
    Output& out = standard_output();
    const Style style = style_for(STDOUT_FILENO);
    if (options.json) {
        const auto image = sim::Image::load(where.build / "sim" / "lockstep" / "exo-sequences.elf");
        nlohmann::json report = lockstep_json(result.last, *image);
        report["sequences"] = sequences_json(result);
        out.write(json_document(report));
    } else {
        out.write(sequences_text(result, style) + lockstep_text(result.last, style));
    }
    out.flush();
    return result.differences.empty() ? judge(result.last) : Exit::difference;
}

// With the console and the progress line around it.
sim::LockstepResult run_pair(sim::LockstepConfig config, bool console) {
    std::atomic<std::uint64_t> retired{0};
    config.progress = &retired;
    Output& out = standard_output();
    Progress progress([&] { return "  " + grouped(retired.load()) + " instructions compared"; });
    if (console)
        config.console = [&](std::string_view text) {
            if (text.empty()) return;
            progress.around(
                [&] {
                    out.write(text);
                    out.flush();
                },
                text.back() == '\n');
        };
    return sim::run_lockstep(config);
}

std::set<std::uint64_t> mark_addresses(const sim::Image& image) {
    std::set<std::uint64_t> addresses;
    for (const sim::Mark& mark : image.marks()) addresses.insert(mark.address);
    if (addresses.empty())
        throw Failure(Exit::usage, image.name() +
                                       ": it has no marks, at which --marks compares; kernel/abi/marks.hpp "
                                       "says how they are made");
    return addresses;
}

// As many as Bochs has room for: those the pair came to, in that order, before the others.
std::vector<sim::MarkPlace> watched_places(const std::set<std::uint64_t>& addresses,
                                           const std::vector<sim::MarkStop>& stops) {
    std::vector<sim::MarkPlace> places;
    std::set<std::uint64_t> seen;
    for (const sim::MarkStop& stop : stops)
        if (seen.insert(stop.address).second && places.size() < sim::bochs_places_most)
            places.push_back({stop.address, std::uint16_t(stop.state.segments[sim::ArchitecturalState::cs].selector)});
    std::size_t linear = 0;
    for (const std::uint64_t address : addresses)
        if (!seen.contains(address) && places.size() < sim::bochs_places_most && linear++ < sim::bochs_linear_most)
            places.push_back({address, std::nullopt});
    return places;
}

sim::BochsStops run_third(const LockstepOptions& options, const sim::Image& image, const sim::LockstepConfig& config,
                          std::vector<sim::MarkPlace> places) {
    std::atomic<std::uint64_t> stops{0};
    Progress progress([&] { return "  Bochs: " + grouped(stops.load()) + " stops at marks"; });
    return sim::run_bochs_to_marks(
        {.cpu = options.bochs_cpu,
         .places = std::move(places),
         .each = options.each,
         .command_line = config.command_line,
         .ram_bytes = config.ram_bytes,
         .stop = config.stop,
         .progress = &stops,
         .make_image = [&](const std::filesystem::path& iso, const std::string& command_line) {
             write_iso_of(image, iso, command_line);
         }});
}

Exit judge(const MarksComparison& marks, Exit pair) {
    if (marks.third.interrupted) return Exit::interrupted;
    if (marks.result.mismatch) return Exit::difference;
    if (marks.third.silent) {
        spdlog::error("Bochs: {}", marks.third.end);
        return Exit::limit;
    }
    if (!marks.third.complete) {
        spdlog::error("Bochs: {}", marks.third.end);
        return Exit::guest_failed;
    }
    return pair;
}

// The two that agree, then the third by itself. Its end is judged after what differs: that tells more.
Exit lockstep_and_marks(const LockstepOptions& options, const sim::Image& image, sim::LockstepConfig config) {
    const std::set<std::uint64_t> addresses = mark_addresses(image);
    sim::lockstep::MarkLog log(addresses, options.each);
    config.marks = &log;
    const sim::LockstepResult pair = run_pair(config, !options.json);
    Exit status = judge(pair);
    std::optional<MarksComparison> marks;
    const bool agreed = status == Exit::done || status == Exit::limit;
    if (agreed) {
        marks.emplace();
        const std::vector<sim::MarkPlace> places = watched_places(addresses, log.stops());
        std::set<std::uint64_t> watched;
        for (const sim::MarkPlace& place : places) watched.insert(place.address);
        log.keep(watched);
        marks->places = addresses.size(), marks->watched = watched.size();
        marks->pair = pair.leader + ", " + pair.follower;
        marks->third = run_third(options, image, config, places);
        marks->result =
            sim::lockstep::compare_marks(log, marks->third.stops, status == Exit::limit || !marks->third.complete);
        status = judge(*marks, status);
    }
    Output& out = standard_output();
    const Style style = style_for(STDOUT_FILENO), error_style = style_for(STDERR_FILENO);
    if (options.json) {
        nlohmann::json report = lockstep_json(pair, image);
        if (marks) report["marks"] = marks_json(*marks, image);
        out.write(json_document(report));
    } else {
        out.write("\n" + lockstep_text(pair, style) + (marks ? marks_text(*marks, style) : ""));
    }
    out.flush();
    const std::string difference =
        marks ? mark_mismatch_text(*marks, image, error_style) : difference_text(pair, image, error_style);
    if (!difference.empty()) spdlog::error("{}", difference);
    return status;
}

Exit lockstep(const LockstepOptions& options) {
    if (options.known || options.markdown) return show_known(options);
    if (options.sequences) return run_generated(options);
    const std::filesystem::path kernel =
        options.kernel.empty() ? environment().kernel() : std::filesystem::path(options.kernel);
    const auto image = sim::Image::load(kernel);
    const sim::LockstepConfig config = configure(options, image.get(), kernel);
    if (!options.marks.empty()) return lockstep_and_marks(options, *image, config);
    const sim::LockstepResult result = run_pair(config, !options.json);
    Output& out = standard_output();
    if (options.json) out.write(json_document(lockstep_json(result, *image)));
    else out.write("\n" + lockstep_text(result, style_for(STDOUT_FILENO)));
    out.flush();
    const std::string difference = difference_text(result, *image, style_for(STDERR_FILENO));
    if (!difference.empty()) spdlog::error("{}", difference);
    return judge(result);
}

}  // namespace

void add_lockstep(CommandLine& line) {
    CLI::App* app = line.command(
        "lockstep", "Run the image in QEMU and in Unicorn at once and compare every instruction", examples);
    const auto options = std::make_shared<LockstepOptions>();
    Scenario& scenario = options->scenario;
    app->add_option("--kernel", options->kernel, "Kernel image with a PVH note (default: the one just built)");
    app->add_option("--leader", "The engine that leads: qemu, the only one")->check(CLI::IsMember({"qemu"}));
    app->add_option(
           "--states", options->states,
           "Who tells the leader's states: plugin, log (slow, any QEMU 7), auto (default: the plugin if it can)")
        ->check(CLI::IsMember({"auto", "plugin", "log"}));
    app->add_option("--scenario", scenario.name, "What the guest does: tour (default), contract, idle");
    app->add_option("--cmdline", scenario.command_line, "More for the guest's command line");
    app->add_option("--seed", scenario.seed, "The guest gets it as seed=N (default 0)")->transform(whole_number());
    app->add_option("--limit", scenario.limit, "Instructions after which both are ended (default 2,000,000,000)")
        ->transform(whole_number(1));
    app->add_option("--ram", scenario.ram_mib, "Memory of the guest in MiB (default 128)")
        ->transform(whole_number(16, 2048));
    app->add_option("--sequences", options->sequences, "Instead of a kernel: so many generated instruction sequences")
        ->transform(whole_number(1, sim::lockstep::sequences_most))
        ->excludes("--kernel")
        ->excludes("--scenario");
    CLI::Option* marks =
        app->add_option("--marks", options->marks,
                        "Then compare a third engine with these two at the image's marks: bochs. The guest gets "
                        "features=smep,smap,pge, what all three have, unless --cmdline says which")
            ->check(CLI::IsMember({"bochs"}))
            ->excludes("--sequences");
    app->add_option("--each", options->each, "Stops at each mark: its first so many occurrences (default 3)")
        ->transform(whole_number(1, sim::mark_stops_most))
        ->needs(marks);
    app->add_option("--cpu", options->bochs_cpu,
                    "The third engine's CPU model (default " + std::string(sim::bochs::default_cpu) + ")")
        ->needs(marks);
    app->add_flag("--known", options->known, "Only show the table of known differences");
    app->add_flag("--markdown", options->markdown, "The same as docs/limits.md has it");
    app->add_flag("--json", options->json, "One JSON document on stdout");
    line.does(app, [options] {
        try {
            return lockstep(*options);
        } catch (const sim::EngineError&) {
            if (!stop_requested()) throw;
            throw Failure(Exit::interrupted, "interrupted before the kernel was entered");
        }
    });
}

}  // namespace devenv
