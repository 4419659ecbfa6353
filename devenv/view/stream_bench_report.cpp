// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <devenv/view/format.hpp>
#include <devenv/view/stream_bench_report.hpp>
#include <devenv/view/table.hpp>

namespace devenv {

namespace {

constexpr double bar = 20;  // M instructions/s with the timing model

struct Workload {
    const char *key, *title;
    std::optional<StreamSpeed> StreamRow::*speed;
};
constexpr std::array workloads = {Workload{"loop", "QEMU: hot loop", &StreamRow::loop},
                                  Workload{"image", "QEMU: the whole image, from kernel entry", &StreamRow::whole}};

std::string bar_text(const StreamRow& row, const StreamSpeed& speed) {
    return "  bar " + decimal(bar, 0) + ", " + row.layers + ": " + (speed.slower() >= bar ? "met" : "not met") + " (" +
           decimal(speed.slower(), 1) + " M/s of CPU time in the slower process)\n";
}

}  // namespace

std::string stream_bench_text(const StreamReport& report, const Style& style) {
    if (!report.missing.empty()) return "  QEMU: no rows: " + report.missing + "\n\n";
    std::string out;
    for (const Workload& workload : workloads) {
        Table table({{"layers", Align::left}, {"M/s wall"}, {"M/s QEMU CPU"}, {"M/s exo-dev CPU"}});
        std::string bars;
        for (const StreamRow& row : report.rows) {
            const auto& speed = row.*workload.speed;
            if (!speed) {
                table.row({row.layers, "-", "-", "-"});
                continue;
            }
            table.row({row.layers, decimal(speed->wall, 1), decimal(speed->qemu, 1),
                       speed->exo_dev ? decimal(*speed->exo_dev, 1) : "-"});
            if (row.timed) bars += bar_text(row, *speed);
        }
        out += "  " + style.bold(workload.title) + "\n" + table.text(style) + bars + "\n";
    }
    return out + "  QEMU's start-up and end, " + decimal(report.start_up_s, 2) + " s, are taken off\n\n";
}

Json stream_bench_json(const StreamReport& report) {
    Json json = {{"rows", Json::array()}, {"bars", Json::array()}, {"start_up_s", report.start_up_s}};
    if (!report.missing.empty()) json["missing"] = report.missing;
    for (const StreamRow& row : report.rows) {
        Json entry = {{"layers", row.layers}};
        for (const Workload& workload : workloads) {
            entry[workload.key] = nullptr;
            const auto& speed = row.*workload.speed;
            if (!speed) continue;
            entry[workload.key] = {{"wall", speed->wall}, {"qemu_cpu", speed->qemu}, {"exo_dev_cpu", nullptr}};
            if (speed->exo_dev) entry[workload.key]["exo_dev_cpu"] = *speed->exo_dev;
            if (row.timed)
                json["bars"].push_back({{"workload", workload.key},
                                        {"layers", row.layers},
                                        {"bar", bar},
                                        {"cpu", speed->slower()},
                                        {"met", speed->slower() >= bar}});
        }
        json["rows"].push_back(std::move(entry));
    }
    return json;
}

}  // namespace devenv
