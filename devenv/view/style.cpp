// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <cstdlib>
#include <devenv/view/style.hpp>

namespace devenv {

bool is_terminal(int descriptor) { return isatty(descriptor) == 1; }

Style style_for(int descriptor) {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
    return {.colour = is_terminal(descriptor) && !dumb && (no_colour == nullptr || *no_colour == '\0')};
}

}  // namespace devenv
