// SPDX-License-Identifier: GPL-2.0-or-later
#include <cmath>
#include <devenv/view/format.hpp>
#include <devenv/view/scatter_plot.hpp>
#include <devenv/view/shapes_report.hpp>
#include <devenv/view/table.hpp>

namespace devenv {

namespace {

std::string cycles(double value) { return value > 0 ? decimal(value, 2) : "-"; }
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

std::string position(const Shape& shape, std::uint64_t at) {
    if (shape.axis != "bytes" || at < 1024) return grouped(at);
    return at < 1024 * 1024 ? decimal(double(at) / 1024, at % 1024 ? 1 : 0) + " KiB"
                            : decimal(double(at) / 1048576, at % 1048576 ? 1 : 0) + " MiB";
}

}  // namespace

std::string shapes_text(const std::vector<Shape>& shapes, const std::string& cpu, const Style& style) {
    std::string out;
    for (const Shape& shape : shapes) {
        out += "  " + style.bold(shape.title) + "\n\n";
        Table table({{shape.axis}, {"native"}, {cpu.empty() ? "" : "model, " + cpu}});
        for (const ShapePoint& point : shape.points)
            table.row({position(shape, point.at), cycles(point.measured), cycles(point.modelled)});
        out += table.text(style) + "\n";
    }
    return out;
}

Json shapes_json(const std::vector<Shape>& shapes) {
    Json list = Json::array();
    for (const Shape& shape : shapes) {
        Json points = Json::array();
        for (const ShapePoint& point : shape.points) {
            Json one = {{"at", point.at}};
            if (point.measured > 0) one["measured"] = rounded(point.measured);
            if (point.modelled > 0) one["exo"] = rounded(point.modelled);
            points.push_back(one);
        }
        list.push_back({{"id", shape.id}, {"title", shape.title}, {"axis", shape.axis}, {"points", points}});
    }
    return list;
}

void write_shapes_plot(const std::filesystem::path& path, const std::vector<Shape>& shapes, const std::string& cpu) {
    std::string script =
        std::string("set terminal ") +
        (path.extension() == ".svg" ? "svg size 900,700 background 'white'" : "png size 1100,900") +
        "\nset output 'plot'\nset multiplot layout 2,2\nset logscale y 2\nset ytics 4\nset grid\nset key left top\n"
        "set ylabel 'core cycles'\n";
    for (const Shape& shape : shapes) {
        bool native = false, model = false;
        std::string data;
        for (const ShapePoint& point : shape.points) {
            native |= point.measured > 0, model |= point.modelled > 0;
            data +=
                std::to_string(point.at) + " " + decimal(point.measured, 3) + " " + decimal(point.modelled, 3) + "\n";
        }
        const std::string name = "$" + shape.id.substr(0, shape.id.find('-'));
        script += name + " << END\n" + data + "END\nset title '" + shape.title + "'\nset xlabel '" + shape.axis + "'\n";
        script += shape.axis == "threads" ? "set logscale x 10\nset xtics 10\nset format x '%g'\n"
                                          : "set logscale x 2\nset xtics 8\nset format x '%.0b%B'\n";
        script += "plot ";
        if (native) script += name + " using 1:2 title 'measured' with lines lw 2 lc rgb '#808080'";
        if (native && model) script += ", ";
        if (model) script += name + " using 1:3 title 'model, " + cpu + "' with lines lw 2 lc rgb '#c0392b'";
        script += "\n";
    }
    write_plot(path, script);
}

}  // namespace devenv
