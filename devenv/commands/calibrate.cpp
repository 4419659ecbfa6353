// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev calibrate: a machine's own figures of its system instructions, from its console into the overlay's format.
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <sys/stat.h>
#include <chrono>
#include <cstring>
#include <ctime>
#include <devenv/calibration.hpp>
#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/engines/guest_run.hpp>
#include <devenv/environment.hpp>
#include <devenv/output.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/failure_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/table.hpp>
#include <fstream>
#include <memory>
#include <sim/bochs/configuration.hpp>
#include <sim/qemu/command_line.hpp>

namespace devenv {

namespace {

struct CalibrateOptions {
    std::string import, output, date, engine, kernel;
    bool json = false;
};

constexpr const char* examples =
    "  exo-dev calibrate                                how to measure a PC\n"
    "  exo-dev calibrate --import pc.log -o pc.json     its console's log as entries of the timing model's overlay\n"
    "  exo-dev calibrate --import pc.log --json         the same and the figures that they are made of\n"
    "  exo-dev calibrate --engine qemu                  try the scenario: the table it gives, which is not hardware's";

constexpr const char* how =
    "Measures what ring 3 cannot: system calls, returns, control registers, MSRs, invalidations, exceptions, in ring "
    "0\n"
    "on a real PC, in core cycles. docs/hardware.md says what the PC needs.\n"
    "\n"
    "  1. exo-dev image --cmdline 'scenario=calibrate end=key'\n"
    "     makes build/exo.iso and build/exo.img; write one to a USB stick and connect the serial line.\n"
    "  2. exo-dev boot --serial /dev/ttyUSB0 | tee pc.log\n"
    "     then start the PC from the stick. Any other program that saves the line as text will do.\n"
    "  3. exo-dev calibrate --import pc.log -o pc.json\n"
    "     gives the measured entries. An emulator's are refused; a virtual machine's say that they are one's.\n"
    "\n"
    "Without a PC: exo-dev calibrate --engine qemu (or bochs, unicorn) shows what the scenario prints.\n";

constexpr std::size_t log_bytes_most = 64u << 20;

std::string read_log(const std::string& path) {
    const auto fail = [&](const std::string& why) {
        return Failure(Exit::usage, path + ": " + why + "; --import wants a console's log as text");
    };
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) throw fail("is a folder");
    std::ifstream file(path, std::ios::binary);
    if (!file) throw fail(std::string("cannot be read: ") + std::strerror(errno));
    std::string text;
    char piece[65536];
    while (file.read(piece, sizeof piece), file.gcount() > 0) {
        text.append(piece, std::size_t(file.gcount()));
        if (text.size() > log_bytes_most) throw fail("is larger than " + byte_size(log_bytes_most));
    }
    if (file.bad()) throw fail("cannot be read to its end");
    return text;
}

// When the log was written, unless said: the day of the measurement as nearly as a file knows it.
std::string date_of(const CalibrateOptions& options) {
    if (!options.date.empty()) return options.date;
    struct stat about {};
    std::tm day{};
    char text[16] = "unknown";
    if (stat(options.import.c_str(), &about) == 0 && gmtime_r(&about.st_mtime, &day))
        std::strftime(text, sizeof text, "%Y-%m-%d", &day);
    return text;
}

std::string is_a_date(const std::string& text) {
    const bool shape = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                       std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) == 8;
    const auto part = [&](std::size_t from, std::size_t digits) { return std::stoi(text.substr(from, digits)); };
    const bool day =
        shape && std::chrono::year_month_day(std::chrono::year(part(0, 4)), std::chrono::month(unsigned(part(5, 2))),
                                             std::chrono::day(unsigned(part(8, 2))))
                     .ok();
    return day ? "" : "'" + text + "' is no date: YYYY-MM-DD";
}

// Its place is taken by renaming: a device or pipe would be lost, and the log cannot be measured again at will.
void check_output(const CalibrateOptions& options) {
    std::error_code error;
    const auto fail = [&](const std::string& why) {
        return Failure(Exit::usage, options.output + ": " + why + "; give -o another place");
    };
    if (!std::filesystem::exists(options.output, error)) return;
    if (!std::filesystem::is_regular_file(options.output, error)) throw fail("exists and is not a regular file");
    if (std::filesystem::equivalent(options.output, options.import, error)) throw fail("is the log that is read");
}

// Beside it first: a full disk leaves no half file in its place.
void write_file(const std::filesystem::path& path, const std::string& text) {
    const std::filesystem::path part = path.string() + ".part";
    std::error_code error;
    {
        std::ofstream file(part, std::ios::binary);
        file << text;
        file.close();
        if (file) std::filesystem::rename(part, path, error);
        if (file && !error) return;
    }
    const std::string why = error ? error.message() : std::strerror(errno);
    std::filesystem::remove(part, error);
    throw Failure(Exit::difference, path.string() + ": cannot be written: " + why + "; give -o another place");
}

std::string cycles(std::uint64_t millicycles) { return decimal(double(millicycles) / 1000, 1); }

std::string table_of(const Calibration& c, const Style& style) {
    Table table({{"instruction", Align::left}, {"least"}, {"median"}, {"high"}});
    for (const CalibrationFigure& f : c.figures) table.row({f.name, cycles(f.least), cycles(f.median), cycles(f.high)});
    return table.text(style);
}

const char* name_of(CalibrationSource source) {
    switch (source) {
        case CalibrationSource::hardware:
            return "hardware";
        case CalibrationSource::guest:
            return "guest";
        case CalibrationSource::refused:
            break;
    }
    return "refused";
}

Json report(const Calibration& c, const CalibrationVerdict& verdict) {
    Json figures = Json::array();
    for (const CalibrationFigure& f : c.figures)
        figures.push_back({{"name", f.name},
                           {"least_millicycles", f.least},
                           {"median_millicycles", f.median},
                           {"high_millicycles", f.high}});
    const CalibrationMachine& m = c.machine;
    Json machine = nullptr;
    if (c.has_machine)
        machine = {{"vendor", m.vendor},         {"family", m.family},     {"model", m.model}, {"stepping", m.stepping},
                   {"hypervisor", m.hypervisor}, {"firmware", m.firmware}, {"brand", m.brand}};
    return {{"schema", report_schema},    {"source", name_of(verdict.source)},  {"reason", verdict.reason},
            {"machine", machine},         {"clock_milliticks", c.clock.median}, {"announced", c.announced},
            {"damaged_lines", c.damaged}, {"incomplete", c.incomplete},         {"figures", figures}};
}

void tell_losses(const Calibration& c) {
    if (c.damaged) spdlog::warn("{} lines were damaged on the way and left out", c.damaged);
    if (c.incomplete)
        spdlog::warn("{} figures are incomplete or contradict themselves and were left out", c.incomplete);
    const std::uint64_t come = c.figures.size() + c.incomplete;
    if (c.announced > come) spdlog::warn("{} of {} figures have not come at all", c.announced - come, c.announced);
}

Exit import_log(const CalibrateOptions& options) {
    check_output(options);
    const Calibration c = read_calibration(read_log(options.import));
    const CalibrationVerdict verdict = judge(c);
    Output& out = standard_output();
    tell_losses(c);
    if (verdict.source == CalibrationSource::refused) {
        if (options.json) out.write(json_document(report(c, verdict)));
        out.flush();
        spdlog::error("{}: no entries: {}", options.import, verdict.reason);
        return Exit::difference;
    }
    const CalibrationEntries made = make_entries(c, verdict.source);
    const Json document = overlay_document(c, verdict, made, date_of(options));
    if (!options.output.empty()) write_file(options.output, json_document(document));
    if (options.json) {
        Json json = report(c, verdict);
        json["left_out"] = Json::object();
        for (const auto& [figure, why] : made.left_out) json["left_out"][figure] = why;
        json["overlay"] = document;
        out.write(json_document(json));
    } else if (options.output.empty()) {
        out.write(json_document(document));
    }
    out.flush();
    for (const auto& [figure, why] : made.left_out) spdlog::info("not used: {}: {}", figure, why);
    spdlog::info("{}{}: {} entries of {} figures", c.machine.text(),
                 verdict.source == CalibrationSource::guest ? ", in a guest of " + verdict.reason : "",
                 made.entries.size(), c.figures.size());
    return Exit::done;
}

constexpr const char* scenario_line = "scenario=calibrate";
constexpr double engine_timeout_s = 300;

// The console's text, or a status that is not `done`; errors are told.
Exit run_engine(const CalibrateOptions& options, std::string& console) {
    const std::filesystem::path kernel =
        options.kernel.empty() ? environment().kernel() : std::filesystem::path(options.kernel);
    if (!std::filesystem::is_regular_file(kernel))
        throw Failure(Exit::usage,
                      display(kernel) + ": no such file; ./exo-dev calibrate --engine builds the default one");
    if (options.engine == "unicorn") {
        Scenario scenario;
        scenario.command_line = scenario_line;
        const auto image = sim::Image::load(kernel);
        const Simulated run = simulate(*image, scenario, {.time = false});
        const std::string failure = failure_text(run, *image, style_for(STDERR_FILENO));
        if (!failure.empty()) spdlog::error("{}", failure);
        console = run.console;
        return exit_for(run.result.stop);
    }
    GuestOptions guest;
    guest.kernel = kernel;
    guest.command_line = scenario_line;
    guest.timeout_s = engine_timeout_s;
    const bool qemu = options.engine == "qemu";
    guest.cpu = qemu ? sim::qemu::default_cpu : sim::bochs::default_cpu;
    const GuestRun run = qemu ? run_in_qemu(guest) : run_in_bochs(guest);
    if (run.end != GuestEnd::power_off)
        spdlog::error("{}: {}", options.engine, run.detail.empty() ? name(run.end) : run.detail);
    console = run.console;
    return exit_for(run.end);
}

Exit try_engine(const CalibrateOptions& options) {
    std::string console;
    if (const Exit status = run_engine(options, console); status != Exit::done) return status;
    const Calibration c = read_calibration(console);
    const CalibrationVerdict verdict = judge(c);
    Output& out = standard_output();
    if (options.json) {
        Json json = report(c, verdict);
        json["engine"] = options.engine;
        out.write(json_document(json));
    } else {
        const Style style = style_for(STDOUT_FILENO);
        out.write(style.bold(c.machine.text()) + "\n" + style.red(verdict.reason) +
                  "; what an emulator counts are no cycles of a CPU\n\n" + table_of(c, style));
    }
    out.flush();
    tell_losses(c);
    if (c.figures.empty()) spdlog::error("the scenario has printed no figure");
    return c.figures.empty() ? Exit::guest_failed : Exit::done;
}

}  // namespace

void add_calibrate(CommandLine& line) {
    CLI::App* app =
        line.command("calibrate", "Measure a PC's system instructions in ring 0, for the timing model", examples);
    const auto options = std::make_shared<CalibrateOptions>();
    CLI::Option* import =
        app->add_option("--import", options->import, "Log of a machine's console that ran scenario=calibrate");
    app->add_option("-o,--output", options->output, "File for the entries (default: stdout)")->needs(import);
    app->add_option("--date", options->date, "Day of the measurement, YYYY-MM-DD (default: the log's)")
        ->needs(import)
        ->check(is_a_date);
    CLI::Option* engine =
        app->add_option("--engine", options->engine, "Try the scenario in unicorn, qemu or bochs instead")
            ->check(CLI::IsMember({"unicorn", "qemu", "bochs"}))
            ->excludes(import);
    app->add_option("--kernel", options->kernel, "Kernel image for --engine (default: the one just built)")
        ->needs(engine);
    app->add_flag("--json", options->json, "One JSON document on stdout");
    line.does(app, [options, import] {
        if (import->count()) return import_log(*options);
        if (!options->engine.empty()) return try_engine(*options);
        if (options->json) throw Failure(Exit::usage, "--json of what? --import FILE, or --engine NAME");
        standard_output().write(how);
        standard_output().flush();
        return Exit::done;
    });
}

}  // namespace devenv
