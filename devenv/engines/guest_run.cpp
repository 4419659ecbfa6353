// SPDX-License-Identifier: GPL-2.0-or-later
#include <devenv/boot_image.hpp>
#include <devenv/engines/guest_run.hpp>
#include <devenv/environment.hpp>

namespace devenv {

const char* name(GuestEnd end) {
    switch (end) {
        case GuestEnd::power_off:
            return "power-off";
        case GuestEnd::guest_failed:
            return "guest-failed";
        case GuestEnd::reset:
            return "reset";
        case GuestEnd::time_limit:
            return "time-limit";
        case GuestEnd::console_limit:
            return "console-limit";
        case GuestEnd::interrupted:
            return "interrupted";
        case GuestEnd::engine_failed:
            return "engine-failed";
    }
    return "?";
}

Exit exit_for(GuestEnd end) {
    switch (end) {
        case GuestEnd::power_off:
            return Exit::done;
        case GuestEnd::guest_failed:
        case GuestEnd::reset:
            return Exit::guest_failed;
        case GuestEnd::time_limit:
        case GuestEnd::console_limit:
            return Exit::limit;
        case GuestEnd::interrupted:
            return Exit::interrupted;
        case GuestEnd::engine_failed:
            return Exit::missing;
    }
    return Exit::missing;
}

bool judge_our_end(const sim::ChildResult& result, bool flooded, const GuestOptions& options, GuestRun& run) {
    if (result.interrupted) {
        run.end = GuestEnd::interrupted;
    } else if (result.timed_out) {
        run.end = GuestEnd::time_limit;
    } else if (flooded) {
        run.end = GuestEnd::console_limit;
        run.detail = console_limit_text(options.console_bytes_most);
    } else {
        return false;
    }
    return true;
}

void make_boot_iso(const std::filesystem::path& iso, const GuestOptions& options) {
    if (!std::filesystem::exists(options.kernel))
        throw Failure(Exit::usage, display(options.kernel) + ": no such file");
    write_iso(iso, {.kernel = options.kernel, .command_line = options.command_line, .menu = false});
}

}  // namespace devenv
