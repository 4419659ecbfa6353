// SPDX-License-Identifier: GPL-2.0-or-later
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstring>
#include <devenv/command_line.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/style.hpp>
#include <iostream>
#include <sim/engine.hpp>
#include <sim/image/image.hpp>
#include <sim/process/child.hpp>
#include <sim/timing/provenance.hpp>
#include <sim/trace/trace.hpp>
#include <sstream>

namespace devenv {

namespace {

void set_up_diagnostics() {
    const auto mode = style_for(STDERR_FILENO).colour ? spdlog::color_mode::always : spdlog::color_mode::never;
    spdlog::set_default_logger(spdlog::stderr_color_st("exo-dev", mode));
    spdlog::set_pattern("exo-dev: %^%l%$: %v");
}

// Looked for in the text itself: also a line that cannot be parsed has to be answered in JSON.
bool asks_for_json(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--") return false;
        if (word == "--json" || word == "--json=true") return true;
    }
    return false;
}

Exit act(const std::function<Exit()>& action, std::string& failed) {
    const auto fail = [&](Exit status, const char* message) {
        failed = message;
        return status;
    };
    try {
        return action();
    } catch (const Failure& failure) {
        return fail(failure.status, failure.what());
    } catch (const sim::ImageError& error) {
        return fail(Exit::usage, error.what());
    } catch (const sim::TraceError& error) {
        return fail(Exit::usage, error.what());
    } catch (const sim::timing::DataError& error) {
        return fail(Exit::usage, error.what());
    } catch (const sim::EngineError& error) {
        return fail(Exit::missing, error.what());
    } catch (const sim::ProcessError& error) {
        return fail(Exit::missing, error.what());
    } catch (const std::bad_alloc&) {
        return fail(Exit::missing, "out of memory; give the guest less with --ram");
    } catch (const std::exception& error) {
        return fail(Exit::difference, error.what());
    }
}

}  // namespace

CommandLine::CommandLine()
    : app_("Exo-OS development environment: run, trace and compare one kernel image", "exo-dev") {
    app_.require_subcommand(1);
    app_.set_help_all_flag("--help-all", "Help of every command");
    app_.footer(
        "Also, from the launcher: test, doctor, completion.\n"
        "Exit status: 0 done, 1 a difference or failed check, 2 usage or unusable file, 3 the guest failed,\n"
        "4 an engine or tool is missing, 5 instruction or time limit, 130 Ctrl-C.\n"
        "With --json, a command that cannot do its work prints {\"schema\", \"error\", \"exit_status\"}.");
}

CLI::App* CommandLine::command(const std::string& name, const std::string& description, const std::string& examples) {
    return command(&app_, name, description, examples);
}

CLI::App* CommandLine::command(CLI::App* parent, const std::string& name, const std::string& description,
                               const std::string& examples) {
    CLI::App* command = parent->add_subcommand(name, description);
    command->footer("Examples:\n" + examples);
    return command;
}

void CommandLine::does(CLI::App* command, std::function<Exit()> action) {
    command->callback([this, action = std::move(action)] { action_ = action; });
}

Exit CommandLine::parse_and_act(int argc, char** argv, std::string& failed) {
    try {
        app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::ostringstream out, err;
        const bool asked_for_help = app_.exit(error, out, err) == 0;
        standard_output().write(out.str());
        failed = err.str();
        failed.erase(failed.find_last_not_of('\n') + 1);
        return asked_for_help ? Exit::done : Exit::usage;
    }
    return act(action_, failed);
}

int CommandLine::run(int argc, char** argv) {
    install_signal_handlers();
    set_up_diagnostics();
    Output& out = standard_output();
    std::string failed;
    Exit status = parse_and_act(argc, argv, failed);
    // A document that was already there is not followed by a second one.
    if (!failed.empty() && !out.written() && asks_for_json(argc, argv))
        out.write(json_document({{"schema", report_schema}, {"error", failed}, {"exit_status", int(status)}}));
    out.flush();
    if (!failed.empty()) spdlog::error("{}", failed);
    if (out.error()) {
        spdlog::error("standard output: {}; what was printed is incomplete", std::strerror(out.error()));
        if (status == Exit::done) status = Exit::difference;
    }
    return static_cast<int>(status);
}

}  // namespace devenv
