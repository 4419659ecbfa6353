// SPDX-License-Identifier: GPL-2.0-or-later
// What scenario=calibrate has said on a console, whether it may be believed, and what it means for the timing model's
// overlay. Pure: text in, figures and entries out; whatever the text is.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace devenv {

struct CalibrationMachine {
    std::string vendor, hypervisor, firmware, brand;
    unsigned family = 0, model = 0, stepping = 0;
    std::string text() const;  // "AMD EPYC 9354 (AuthenticAMD, family 25, model 17, stepping 1)"
};

struct CalibrationFigure {  // thousandths of a core cycle
    std::string name;       // as in hal/x86_64/probe_cases.cpp
    std::uint64_t least = 0, median = 0, high = 0;
};

struct Calibration {
    bool has_machine = false;
    CalibrationMachine machine;
    CalibrationFigure clock;                 // thousandths of a tick a core cycle
    std::vector<CalibrationFigure> figures;  // complete ones, in the order in which they came
    std::uint64_t announced = 0;             // how many the machine measured; 0: that line is lost
    std::uint64_t damaged = 0;               // lines without the right checksum or shape
    std::uint64_t incomplete = 0;            // figures of which a part is missing, or that contradict themselves

    const CalibrationFigure* find(std::string_view name) const;
};

// Of the last run in the text.
Calibration read_calibration(std::string_view console);

enum class CalibrationSource : std::uint8_t { hardware, guest, refused };
struct CalibrationVerdict {
    CalibrationSource source;
    std::string reason;  // refused: why; guest: of which hypervisor
};
CalibrationVerdict judge(const Calibration&);

struct CalibrationEntry {
    std::string kind, name;                       // "instruction" or "event", and which
    int control_register = -1;                    // -1: any
    std::vector<std::string> opcodes;             // empty: any
    std::uint64_t low = 0, likely = 0, high = 0;  // core cycles
    bool drains = false;
    std::vector<std::string> patterns;  // of which figures it was made
    std::string note;
};
struct CalibrationEntries {
    std::vector<CalibrationEntry> entries;
    std::vector<std::pair<std::string, std::string>> left_out;  // a figure, and why it is in no entry
};
// source: hardware or guest.
CalibrationEntries make_entries(const Calibration&, CalibrationSource);

// The overlay file's text (sim/timing/data): measurements and system entries.
nlohmann::ordered_json overlay_document(const Calibration&, const CalibrationVerdict&, const CalibrationEntries&,
                                        const std::string& date);

}  // namespace devenv
