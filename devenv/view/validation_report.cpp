// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cmath>
#include <devenv/view/format.hpp>
#include <devenv/view/table.hpp>
#include <devenv/view/validation_report.hpp>
#include <map>

namespace devenv {

namespace {

// Of one block there is no order.
std::string tau_text(const Accuracy& accuracy) { return accuracy.count < 2 ? "-" : decimal(accuracy.tau, 3); }

constexpr Predictor all_predictors[] = {Predictor::exo, Predictor::llvm_mca, Predictor::naive};

std::string in_percent(double fraction) { return decimal(100 * fraction, 1) + " %"; }
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

std::string block_title(const Compared& block) {
    if (!block.sample->assembly.empty()) return block.sample->name;
    std::string text;
    for (const std::string& line : block.facts.text) text += (text.empty() ? "" : "; ") + line;
    return text;
}

std::string predictors_text(const Comparison& comparison, const Style& style) {
    Table table({{"predictor", Align::left},
                 {"blocks"},
                 {"mean error"},
                 {"median"},
                 {"within 10 %"},
                 {"off by over 25 %", Align::right, true},
                 {"Kendall's tau"}});
    for (const Predictor predictor : all_predictors) {
        const Accuracy& all = comparison.all().of(predictor);
        if (all.count == 0) continue;
        std::string name(predictor_name(predictor));
        if (predictor == Predictor::exo) name += ", " + comparison.cpu;
        if (predictor == Predictor::llvm_mca) name += " " + comparison.mca_version + ", steady state";
        if (predictor == Predictor::naive) name += ": max(instructions/6, chain)";
        table.row({name, grouped(all.count), in_percent(all.mean), in_percent(all.median), in_percent(all.within_10),
                   in_percent(all.over_25), tau_text(all)});
    }
    return table.text(style);
}

std::string categories_text(const Comparison& comparison, const Style& style) {
    Table table({{"category", Align::left},
                 {"blocks"},
                 {"mean error"},
                 {"median"},
                 {"within 10 %", Align::right, true},
                 {"Kendall's tau"},
                 {"llvm-mca", Align::right, true},
                 {"naive", Align::right, true}});
    for (const Group& group : comparison.groups) {
        if (&group == &comparison.groups.front()) continue;
        const Accuracy& exo = group.of(Predictor::exo);
        const auto other = [&group](Predictor predictor) {
            return group.of(predictor).count ? in_percent(group.of(predictor).mean) : "-";
        };
        table.row({group.name, grouped(exo.count), in_percent(exo.mean), in_percent(exo.median),
                   in_percent(exo.within_10), tau_text(exo), other(Predictor::llvm_mca), other(Predictor::naive)});
    }
    return table.text(style);
}

std::string worst_text(const Comparison& comparison, std::size_t count, const Style& style) {
    Table table({{"measured"}, {"model"}, {"error"}, {"suspected cause", Align::left}, {"block", Align::left}});
    for (const Compared* block : comparison.worst(count))
        table.row({decimal(block->sample->measured, 2), decimal(block->of(Predictor::exo), 2),
                   in_percent(block->error()), block->cause, shorten(block_title(*block), 110)});
    return table.text(style);
}

// The reasons with how many samples each excludes; a pattern is named.
std::string uncovered_text(const Comparison& comparison) {
    if (comparison.uncovered.empty()) return "";
    std::string out = "\n  not compared: " + grouped(comparison.uncovered.size()) + "\n";
    constexpr std::size_t most_lines = 100;
    std::size_t lines = 0;
    for (const Excluded& one : comparison.uncovered) {
        if (++lines > most_lines) {
            out += "    and " + grouped(comparison.uncovered.size() - most_lines) + " more (--json has all)\n";
            break;
        }
        out += "    " + shorten(one.sample->name, 50) + ": " + one.why + "\n";
    }
    return out;
}

Json accuracy_json(const Accuracy& accuracy) {
    return {{"n", accuracy.count},
            {"mean_percent", rounded(100 * accuracy.mean)},
            {"median_percent", rounded(100 * accuracy.median)},
            {"within_10_percent", rounded(100 * accuracy.within_10)},
            {"over_25_percent", rounded(100 * accuracy.over_25)},
            {"tau", rounded(accuracy.tau)}};
}

Json predictors_json(const Group& group) {
    Json object = Json::object();
    for (const Predictor predictor : all_predictors)
        if (group.of(predictor).count)
            object[std::string(predictor_name(predictor))] = accuracy_json(group.of(predictor));
    return object;
}

void add_native(Json& object, const Sample& sample) {
    if (sample.loop <= 0) return;
    object["unrolled"] = sample.unrolled;
    object["loop"] = sample.loop;
}

Json block_json(const Compared& block) {
    Json object = {{"name", block.sample->name},
                   {"hex", to_hex(block.sample->code)},
                   {"category", category_name(block.facts.category)},
                   {"memory", block.facts.memory},
                   {"instructions", block.facts.instructions},
                   {"measured", block.sample->measured},
                   {"spread", block.sample->spread}};
    add_native(object, *block.sample);
    for (const Predictor predictor : all_predictors)
        if (block.of(predictor) > 0) object[std::string(predictor_name(predictor))] = rounded(block.of(predictor));
    object["error_percent"] = rounded(100 * block.error());
    if (!block.cause.empty()) object["cause"] = block.cause;
    return object;
}

}  // namespace

std::string comparison_text(const Comparison& comparison, std::size_t worst, const Style& style) {
    std::string out = "  " + style.bold(comparison.name) + "\n\n";
    if (comparison.blocks.empty()) return out + "  nothing to compare\n" + uncovered_text(comparison);
    out += predictors_text(comparison, style);
    if (!comparison.mca_missing.empty()) out += "  without llvm-mca: " + comparison.mca_missing + "\n";
    out += "\n" + categories_text(comparison, style);
    if (worst) out += "\n  " + style.bold("worst") + "\n" + worst_text(comparison, worst, style);
    return out + uncovered_text(comparison);
}

Json comparison_json(const Comparison& comparison) {
    Json categories = Json::array(), worst = Json::array(), uncovered = Json::array(), blocks = Json::array();
    for (const Group& group : comparison.groups) {
        if (&group != &comparison.groups.front())
            categories.push_back({{"name", group.name}, {"predictors", predictors_json(group)}});
    }
    for (const Compared* block : comparison.worst(10)) worst.push_back(block_json(*block));
    for (const Excluded& one : comparison.uncovered)
        uncovered.push_back({{"name", one.sample->name}, {"why", one.why}});
    for (const Compared& block : comparison.blocks) blocks.push_back(block_json(block));
    Json object = {
        {"data", comparison.name},  {"cpu", comparison.cpu}, {"predictors", predictors_json(comparison.all())},
        {"categories", categories}, {"worst", worst},        {"uncovered", uncovered},
        {"blocks", blocks}};
    if (!comparison.mca_version.empty()) object["llvm_mca_version"] = comparison.mca_version;
    if (!comparison.mca_missing.empty()) object["llvm_mca_missing"] = comparison.mca_missing;
    return object;
}

std::string measurements_text(const SampleSet& set, std::size_t rows, const Style& style) {
    std::string out = "  " + style.bold(set.name) + "\n\n";
    Table table({{"cycles"}, {"spread"}, {"block", Align::left}});
    std::size_t shown = 0, measured = 0, excluded = 0;
    std::map<std::string, std::size_t> reasons;
    for (const Sample& sample : set.samples) {
        if (!sample.excluded.empty()) {
            ++excluded;
            if (sample.excluded.size() < 200) ++reasons[sample.excluded];
            continue;
        }
        ++measured;
        if (shown++ < rows)
            table.row({decimal(sample.measured, 2), in_percent(sample.spread), shorten(sample.name, 100)});
    }
    if (!table.empty()) out += table.text(style);
    out += "  " + grouped(measured) + " measured" + (measured > rows ? " (--json has all)" : "") + ", " +
           grouped(excluded) + " not\n";
    for (const auto& [reason, count] : reasons) out += "    " + grouped(count) + " " + reason + "\n";
    return out;
}

Json measurements_json(const SampleSet& set) {
    Json blocks = Json::array(), excluded = Json::array();
    for (const Sample& sample : set.samples) {
        if (!sample.excluded.empty()) {
            excluded.push_back({{"name", sample.name}, {"why", sample.excluded}});
            continue;
        }
        Json& block = blocks.emplace_back(Json{{"name", sample.name},
                                               {"hex", to_hex(sample.code)},
                                               {"measured", sample.measured},
                                               {"spread", sample.spread}});
        add_native(block, sample);
    }
    return {{"data", set.name}, {"blocks", blocks}, {"uncovered", excluded}};
}

std::string primitives_text(const std::vector<Primitive>& primitives, const std::string& cpu, const Style& style) {
    std::string out = "  " + style.bold("primitives of the kernel, host backend, the same machine code") + "\n\n";
    Table table({{"primitive", Align::left},
                 {"instructions"},
                 {"native median"},
                 {"best batch", Align::right, true},
                 {cpu.empty() ? "" : "model, " + cpu},
                 {"error"},
                 {"what", Align::left, true}});
    for (const Primitive& one : primitives) {
        const bool modelled = one.modelled > 0;
        table.row({one.id, modelled ? decimal(one.instructions, 1) : "-", decimal(one.measured, 1),
                   decimal(one.least, 1), modelled ? decimal(one.modelled, 1) : "-",
                   modelled ? in_percent(relative_error({one.measured, one.modelled})) : "-",
                   one.excluded.empty() ? one.title : one.excluded});
    }
    return out + table.text(style);
}

Json primitives_json(const std::vector<Primitive>& primitives) {
    Json list = Json::array();
    for (const Primitive& one : primitives) {
        Json object = {{"id", one.id}, {"title", one.title}, {"measured", one.measured}, {"least", one.least}};
        if (one.modelled > 0) {
            object["instructions"] = rounded(one.instructions);
            object["exo"] = rounded(one.modelled);
            object["error_percent"] = rounded(100 * relative_error({one.measured, one.modelled}));
        }
        if (!one.excluded.empty()) object["why"] = one.excluded;
        list.push_back(object);
    }
    return list;
}

Json record_json(const std::vector<Comparison>& comparisons, const std::string& date, const std::string& measured_on) {
    Json sets = Json::array();
    for (const Comparison& comparison : comparisons) {
        const auto summary = [](const Accuracy& accuracy) {
            const auto tenth = [](double fraction) { return std::round(fraction * 1000) / 10; };
            return Json{{"n", accuracy.count},
                        {"mean_percent", tenth(accuracy.mean)},
                        {"median_percent", tenth(accuracy.median)},
                        {"within_10_percent", tenth(accuracy.within_10)},
                        {"tau", std::round(accuracy.tau * 1000) / 1000}};
        };
        Json set = {{"data", comparison.name}};
        set.update(summary(comparison.all().of(Predictor::exo)));
        set["uncovered"] = comparison.uncovered.size();
        Json categories = Json::array();
        for (const Group& group : comparison.groups) {
            if (&group == &comparison.groups.front()) continue;
            Json one = {{"name", group.name}};
            one.update(summary(group.of(Predictor::exo)));
            categories.push_back(one);
        }
        set["categories"] = categories;
        sets.push_back(set);
    }
    return {{"schema", 1},
            {"cpu", comparisons.empty() ? "" : comparisons.front().cpu},
            {"date", date},
            {"measured_on", measured_on},
            {"sets", sets}};
}

}  // namespace devenv
