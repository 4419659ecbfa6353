// SPDX-License-Identifier: GPL-2.0-or-later
// What may differ between engines in what the kernel prints, in one place: everything before its first line (firmware,
// loader), carriage returns, the two lines of the banner that name the way in and the machine, and the numbers of
// times. Nothing else.
#pragma once
#include <regex>
#include <string>

inline std::string comparable(std::string text) {
    text.erase(0, std::min(text.find("Exo-OS "), text.size()));
    std::erase(text, '\r');
    text = std::regex_replace(text, std::regex("entered by [^\n]*"), "entered by WAY");
    text = std::regex_replace(text, std::regex("(^|\n)machine: [^\n]*"), "$1machine: MACHINE");
    return std::regex_replace(text, std::regex(" +[0-9]+ ns"), " TIME ns");
}

// The Linux process enforces no isolation and says so: there, what the steps `faults` and `hostile` say is left out.
inline std::string without_isolation(const std::string& text) {
    return std::regex_replace(text, std::regex("(tour: (faults|hostile)\n)([^t\n][^\n]*\n|t[^o][^\n]*\n)*"), "$1");
}
