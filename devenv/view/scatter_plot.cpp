// SPDX-License-Identifier: GPL-2.0-or-later
#include <cerrno>
#include <cstring>
#include <devenv/environment.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/scatter_plot.hpp>
#include <fstream>
#include <iterator>
#include <regex>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>
#include <sstream>

namespace devenv {

namespace {

constexpr const char* missing = "gnuplot is not installed: apt-get install gnuplot-nox, or leave --plot out";

// A data block a predictor: measured and predicted cycles.
std::string data_text(const std::vector<Comparison>& comparisons, Predictor predictor) {
    std::string text;
    for (const Comparison& comparison : comparisons)
        for (const Compared& block : comparison.blocks)
            if (block.of(predictor) > 0)
                text += std::to_string(block.sample->measured) + " " + std::to_string(block.of(predictor)) + "\n";
    return text;
}

std::string script_text(const std::vector<Comparison>& comparisons, const std::string& terminal) {
    std::string script =
        "set terminal " + terminal + "\nset output 'plot'\nset logscale xy\nset grid\nset key left top\n";
    script += "set xlabel 'measured, core cycles an iteration'\nset ylabel 'predicted'\n";
    std::string curves;
    for (const Predictor predictor : {Predictor::naive, Predictor::llvm_mca, Predictor::exo}) {
        const std::string data = data_text(comparisons, predictor);
        if (data.empty()) continue;
        const std::string name(predictor_name(predictor));
        const std::string block = "$data" + std::to_string(static_cast<int>(predictor));
        script += block + " << END\n" + data + "END\n";
        const auto& all = comparisons.front().all().of(predictor);
        const std::string title =
            comparisons.size() == 1 ? name + ", mean error " + decimal(100 * all.mean, 1) + " %" : name;
        const char* const look = predictor == Predictor::exo     ? "pt 7 ps 0.35 lc rgb '#c0392b'"
                                 : predictor == Predictor::naive ? "pt 1 ps 0.4 lc rgb '#b0b0b0'"
                                                                 : "pt 2 ps 0.4 lc rgb '#2e6da4'";
        curves += block + " using 1:2 title '" + title + "' with points " + look + ", ";
    }
    script += "plot " + curves +
              "x title '' with lines lc rgb 'black', 1.1*x title '10 %' with lines dt 2 lc rgb "
              "'#606060', 0.9*x title '' with lines dt 2 lc rgb '#606060'\n";
    return script;
}

sim::ChildResult run(std::vector<std::string> arguments, const std::filesystem::path& folder) {
    try {
        sim::ChildResult result = sim::run_child(
            {.arguments = std::move(arguments), .folder = folder, .timeout_s = 120, .stop = &stop_requested()});
        if (result.interrupted) throw Failure(Exit::interrupted, "interrupted");
        return result;
    } catch (const sim::ProcessError&) {
        throw Failure(Exit::missing, missing);
    }
}

// gnuplot writes an element a point, a hundred bytes each; points of one colour that follow one another become dots of
// one path, a fifth of that.
std::string compact(const std::string& svg) {
    static const std::regex point(
        R"(\s*<use xlink:href='#gpPt\d+' transform='translate\(([\d.]+),([\d.]+)\) scale\(([\d.]+)\)' color='([^']*)'/>)");
    std::string out, path_colour;
    std::istringstream lines(svg);
    const auto end_path = [&] {
        if (!path_colour.empty()) out += "'/>\n";
        path_colour.clear();
    };
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (!std::regex_match(line, match, point)) {
            end_path();
            out += line + "\n";
            continue;
        }
        if (match[4] != path_colour) {
            end_path();
            path_colour = match[4];
            out += "<path fill='none' stroke='" + path_colour + "' stroke-width='" +
                   decimal(1.6 * std::stod(match[3]), 1) + "' stroke-linecap='round' d='";
        }
        out += "M" + decimal(std::stod(match[1]), 0) + " " + decimal(std::stod(match[2]), 0) + "h0";
    }
    end_path();
    return out;
}

}  // namespace

void check_plot_path(const std::filesystem::path& path) {
    if (path.extension() != ".svg" && path.extension() != ".png")
        throw Failure(Exit::usage, display(path) + ": --plot takes a file that ends with .svg or .png");
    if (run({"gnuplot", "--version"}, {}).status != 0) throw Failure(Exit::missing, missing);
}

void write_scatter_plot(const std::filesystem::path& path, const std::vector<Comparison>& comparisons) {
    const std::string terminal =
        path.extension() == ".svg" ? "svg size 800,700 background 'white'" : "png size 1000,900";
    write_plot(path, script_text(comparisons, terminal));
}

void write_plot(const std::filesystem::path& path, const std::string& script) {
    const sim::TemporaryFolder folder;
    std::ofstream(folder.path() / "script") << script;
    const sim::ChildResult result = run({"gnuplot", "script"}, folder.path());
    if (result.status != 0) throw Failure(Exit::difference, "gnuplot failed: " + sim::last_lines(result.errors, 3));
    std::ifstream drawn(folder.path() / "plot", std::ios::binary);
    std::string picture{std::istreambuf_iterator<char>(drawn), {}};
    if (path.extension() == ".svg") picture = compact(picture);
    std::ofstream out(path, std::ios::binary);
    out << picture;
    out.close();
    if (!out) throw Failure(Exit::usage, display(path) + ": cannot be written: " + std::strerror(errno));
}

}  // namespace devenv
