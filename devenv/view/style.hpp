// SPDX-License-Identifier: GPL-2.0-or-later
// What the place of output can show. Colour only where a person sees it: on a terminal, and never with NO_COLOR
// (no-color.org). Lines are fitted to a terminal's width; what goes elsewhere is not cut.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace devenv {

struct Style {
    bool colour = false;
    std::size_t width = 0;  // columns of the terminal; 0: no limit

    std::string bold(std::string_view text) const { return paint("1", text); }
    std::string dim(std::string_view text) const { return paint("2", text); }
    std::string red(std::string_view text) const { return paint("31", text); }
    std::string green(std::string_view text) const { return paint("32", text); }
    std::string cyan(std::string_view text) const { return paint("36", text); }

  private:
    std::string paint(const char* code, std::string_view text) const {
        if (!colour || text.empty()) return std::string(text);
        return std::string("\033[") + code + "m" + std::string(text) + "\033[0m";
    }
};

bool is_terminal(int descriptor);
Style style_for(int descriptor);

}  // namespace devenv
