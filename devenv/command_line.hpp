// SPDX-License-Identifier: GPL-2.0-or-later
// Parses the command line, runs the one action it asks for, and turns every way of ending into an exit status with
// one message: no exception, signal or broken pipe ends the program in another way.
#pragma once
#include <CLI/CLI.hpp>
#include <devenv/exit_status.hpp>
#include <functional>
#include <string>

namespace devenv {

class CommandLine {
  public:
    CommandLine();

    // A subcommand; `examples` are the lines under its help text. Its callback hands over the action with does().
    CLI::App* command(const std::string& name, const std::string& description, const std::string& examples);
    CLI::App* command(CLI::App* parent, const std::string& name, const std::string& description,
                      const std::string& examples);
    void does(CLI::App* command, std::function<Exit()> action);

    int run(int argc, char** argv);

  private:
    // `failed` is the message of a command that did not do its work; whoever asked for JSON gets it there, too.
    Exit parse_and_act(int argc, char** argv, std::string& failed);

    CLI::App app_;
    std::function<Exit()> action_;
};

}  // namespace devenv
