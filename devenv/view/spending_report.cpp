// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <devenv/view/format.hpp>
#include <devenv/view/spending_report.hpp>
#include <devenv/view/table.hpp>
#include <numeric>

namespace devenv {

namespace {

constexpr double least_percent = 0.1;  // shown of a stack

std::array<std::size_t, sim::wait_count> by_cost(const sim::Spending& spent) {
    std::array<std::size_t, sim::wait_count> order{};
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return spent.by_wait[a] > spent.by_wait[b]; });
    return order;
}

double share(const sim::Spending& spent, std::size_t wait) {
    return spent.cycles ? 100.0 * static_cast<double>(spent.by_wait[wait]) / static_cast<double>(spent.cycles) : 0;
}

std::string cycles_per_instruction(const sim::Spending& spent) {
    if (!spent.instructions) return "-";
    return decimal(static_cast<double>(spent.cycles) / static_cast<double>(spent.instructions), 2);
}

}  // namespace

std::string ranged(std::uint64_t value, std::uint64_t less, std::uint64_t more) {
    if (!less && !more) return grouped(value);
    return grouped(value) + " (" + grouped(value - std::min(value, less)) + "-" + grouped(value + more) + ")";
}

std::string wait_title(sim::Wait wait) { return wait == sim::Wait::none ? "base" : std::string(sim::wait_name(wait)); }

std::string wait_key(sim::Wait wait) {
    std::string key = wait_title(wait);
    std::ranges::replace(key, ' ', '_');
    return key;
}

std::string wait_word(sim::Wait wait) {
    switch (wait) {
        case sim::Wait::none:
            return "";
        case sim::Wait::front_end:
            return "front";
        case sim::Wait::mispredict:
            return "mispred";
        case sim::Wait::dependency:
            return "depend";
        case sim::Wait::forwarding:
            return "forward";
        case sim::Wait::coherence:
            return "coher";
        case sim::Wait::serialisation:
            return "serial";
        default:
            return wait_title(wait);
    }
}

std::string main_wait(const sim::Spending& spent) {
    if (!spent.cycles) return "";
    const std::size_t first = by_cost(spent).front();
    return wait_title(static_cast<sim::Wait>(first)) + " " + decimal(share(spent, first), 0) + " %";
}

std::string waits_text(const sim::Spending& spent) {
    std::string out;
    for (const std::size_t wait : by_cost(spent)) {
        if (share(spent, wait) < least_percent) break;
        out += (out.empty() ? "" : ", ") + wait_title(static_cast<sim::Wait>(wait)) + " " +
               decimal(share(spent, wait), 1) + " %";
    }
    return out.empty() ? "nothing" : out;
}

std::string certainty_text(const sim::Spending& spent) {
    if (!spent.placeholder_cycles) return "nothing rests on estimates";
    std::string out = percent(static_cast<double>(spent.placeholder_cycles), static_cast<double>(spent.cycles)) +
                      " rest on estimates";
    if (spent.less || spent.more)
        out += ": " + grouped(spent.cycles - std::min(spent.cycles, spent.less)) + "-" +
               grouped(spent.cycles + spent.more);
    return out;
}

std::string stack_table(const std::vector<sim::MarkSummary>& marks, const std::vector<sim::FunctionSummary>& functions,
                        std::size_t rows, const Style& style) {
    std::vector<std::pair<std::string, const sim::Spending*>> shown;
    for (const sim::MarkSummary& mark : marks)
        if (mark.all.cycles) shown.emplace_back(mark.name, &mark.all);
    const std::size_t of_marks = shown.size();
    for (std::size_t i = 0; i < std::min(rows, functions.size()); ++i)
        shown.emplace_back(functions[i].name, &functions[i]);
    std::vector<std::size_t> waits;  // columns: those that matter in some row
    for (std::size_t wait = 0; wait < sim::wait_count; ++wait) {
        if (std::ranges::any_of(shown, [&](const auto& row) { return share(*row.second, wait) >= least_percent; }))
            waits.push_back(wait);
    }
    std::string out;
    const auto table = [&](const char* title, std::size_t first, std::size_t last) {
        std::vector<Column> columns = {{title, Align::left}, {"CPI"}};
        for (const std::size_t wait : waits) {
            const auto cause = static_cast<sim::Wait>(wait);
            columns.push_back({cause == sim::Wait::none ? "base" : wait_word(cause)});
        }
        Table text(columns);
        for (std::size_t i = first; i < last; ++i) {
            constexpr std::size_t name_columns = 40;
            std::vector<std::string> cells = {shorten(shown[i].first, name_columns),
                                              cycles_per_instruction(*shown[i].second)};
            for (const std::size_t wait : waits) {
                const double part = share(*shown[i].second, wait);
                cells.push_back(part < least_percent ? "" : decimal(part, 1));
            }
            text.row(std::move(cells));
        }
        if (!text.empty()) out += text.text(style) + "\n";
    };
    table("% of cycles, mark", 0, of_marks);
    table("% of cycles, function", of_marks, shown.size());
    return out;
}

nlohmann::ordered_json waits_json(const sim::Spending& spent) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (std::size_t wait = 0; wait < sim::wait_count; ++wait) {
        if (!spent.by_wait[wait]) continue;
        json[wait_key(static_cast<sim::Wait>(wait))] = spent.by_wait[wait];
    }
    return json;
}

nlohmann::ordered_json range_json(std::uint64_t value, std::uint64_t less, std::uint64_t more) {
    return {{"low", value - std::min(value, less)}, {"high", value + more}};
}

std::vector<const sim::MarkSummary*> guessed_marks(const std::vector<sim::MarkSummary>& marks, double percent) {
    std::vector<const sim::MarkSummary*> found;
    for (const sim::MarkSummary& mark : marks)
        if (100 * mark.all.guessed_share() > percent) found.push_back(&mark);
    return found;
}

}  // namespace devenv
