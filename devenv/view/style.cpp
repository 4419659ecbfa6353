// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <devenv/view/style.hpp>

namespace devenv {

bool is_terminal(int descriptor) { return isatty(descriptor) == 1; }

namespace {
std::size_t terminal_width(int descriptor) {
    winsize size{};
    return is_terminal(descriptor) && ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
}  // namespace

Style style_for(int descriptor) {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
    return {.colour = is_terminal(descriptor) && !dumb && (no_colour == nullptr || *no_colour == '\0'),
            .width = terminal_width(descriptor)};
}

}  // namespace devenv
