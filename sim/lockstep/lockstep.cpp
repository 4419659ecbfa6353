// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstring>
#include <sim/board/text.hpp>
#include <sim/image/image.hpp>
#include <sim/lockstep/comparison.hpp>
#include <sim/lockstep/leader.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <sim/process/child.hpp>

namespace sim {

namespace {

std::unique_ptr<lockstep::Leader> make_leader(const LockstepConfig& config, const lockstep::LeaderConfig& leader) {
    switch (config.states) {
        case LeaderStates::plugin:
            return lockstep::make_qemu_leader(leader);
        case LeaderStates::log:
            return lockstep::make_log_leader(leader);
        case LeaderStates::automatic:
            break;
    }
    return lockstep::make_leader_with_fallback(leader, config.notice);
}

// What the leader did not tell before a signal ended it is no difference.
[[noreturn]] void leader_was_lost(const LockstepResult& result) {
    const int signal = result.leader_status - 128;
    const std::string by = signal > 0 ? text("by signal %d (%s)", signal, strsignal(signal)) : "by a signal";
    const std::string said = last_lines(result.leader_errors, 3);
    throw EngineError(text("the leader, QEMU, was ended %s; all was equal up to instruction %llu, the last it told%s%s",
                           by.c_str(), static_cast<unsigned long long>(result.difference->index),
                           said.empty() ? "" : ": ", said.c_str()));
}

}  // namespace

LockstepResult run_lockstep(const LockstepConfig& config) {
    const auto entry = config.image->pvh_entry();
    if (!entry)
        throw ImageError(config.image->name() +
                         ": it has no PVH note, by which QEMU would enter it; add an ELF note of Xen's type 18");
    std::string console;
    const auto leader = make_leader(config, {.image = config.image_path,
                                             .plugin = config.plugin,
                                             .command_line = config.command_line,
                                             .ram_bytes = config.ram_bytes,
                                             .entry = *entry,
                                             .console = [&](std::string_view text) { console += text; },
                                             .stop = config.stop});
    LockstepResult result = run_lockstep(config, *leader);
    result.leader_console = std::move(console);
    return result;
}

LockstepResult run_lockstep(const LockstepConfig& config, lockstep::Leader& leader) {
    LockstepResult result;
    const auto engine = make_unicorn_engine();
    result.leader = leader.name();
    result.leader_cpu = lockstep::leader_cpu();
    result.follower = engine->name() + " " + engine->version();
    lockstep::Comparison comparison(leader, result, config.marks);
    RunConfig run;
    run.image = config.image;
    run.command_line = config.command_line;
    run.entry = BootProtocol::pvh;
    run.ram_bytes = config.ram_bytes;
    run.stop = config.stop;
    run.instruction_limit = config.limit;
    run.progress = config.progress;
    run.imposed = &comparison;
    run.console = [&](std::string_view text) {
        result.follower_console += text;
        if (config.console) config.console(text);
    };
    result.run = engine->run(run);
    if (result.leader_lost) leader_was_lost(result);
    result.states = leader.states();
    result.fallback = leader.fallback();
    result.not_compared = leader.not_compared();
    return result;
}

}  // namespace sim
