// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <devenv/view/format.hpp>
#include <devenv/view/spending_report.hpp>
#include <devenv/view/table.hpp>
#include <functional>
#include <numeric>

namespace devenv {

namespace {

constexpr double least_percent = 0.1;  // shown of a stack
constexpr double least_rate = 0.01;    // shown of misses

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

double percentage(std::uint64_t part, std::uint64_t whole) {
    return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}
std::string share_text(double part) { return part < least_percent ? "" : decimal(part, 1); }

double per_thousand(const sim::Spending& spent, std::size_t miss) {
    return spent.instructions
               ? 1000.0 * static_cast<double>(spent.misses[miss]) / static_cast<double>(spent.instructions)
               : 0;
}

std::string provenance_title(sim::Provenance provenance) {
    return provenance == sim::Provenance::scheduling ? "LLVM" : std::string(sim::provenance_name(provenance));
}

struct SpendingColumn {
    std::string title;
    std::function<std::string(const sim::Spending&)> cell;
};
struct SpendingRow {
    std::string name;
    const sim::Spending* spent;
    bool mark;
};

std::vector<SpendingRow> shown_rows(const std::vector<sim::MarkSummary>& marks,
                                    const std::vector<sim::FunctionSummary>& functions, std::size_t rows) {
    std::vector<SpendingRow> shown;
    for (const sim::MarkSummary& mark : marks)
        if (mark.all.cycles) shown.push_back({mark.name, &mark.all, true});
    for (std::size_t i = 0; i < std::min(rows, functions.size()); ++i)
        shown.push_back({functions[i].name, &functions[i], false});
    return shown;
}

// A table of the marks and one of the functions, both with the columns that have something in some row.
std::string spending_tables(const std::string& title, const std::vector<SpendingColumn>& columns,
                            const std::vector<SpendingRow>& rows, const Style& style) {
    constexpr std::size_t name_columns = 40;
    std::vector<const SpendingColumn*> used;
    for (const SpendingColumn& column : columns)
        if (std::ranges::any_of(rows, [&](const SpendingRow& row) { return !column.cell(*row.spent).empty(); }))
            used.push_back(&column);
    std::string out;
    for (const bool marks : {true, false}) {
        std::vector<Column> layout = {{title + (marks ? ", mark" : ", function"), Align::left}};
        for (const SpendingColumn* column : used) layout.push_back({column->title});
        Table text(layout);
        for (const SpendingRow& row : rows) {
            if (row.mark != marks) continue;
            std::vector<std::string> cells = {shorten(row.name, name_columns)};
            for (const SpendingColumn* column : used) cells.push_back(column->cell(*row.spent));
            text.row(std::move(cells));
        }
        if (!text.empty()) out += text.text(style) + "\n";
    }
    return out;
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

std::string provenance_key(sim::Provenance provenance) {
    return provenance == sim::Provenance::scheduling ? "llvm" : std::string(sim::provenance_name(provenance));
}

std::string miss_key(sim::Miss miss) {
    static constexpr std::array names = {"l1_code",  "l1_data",  "l2",         "l3",
                                         "code_tlb", "data_tlb", "page_walks", "mispredicts"};
    return names.at(static_cast<std::size_t>(miss));
}

std::string provenance_text(const sim::Spending& spent) {
    std::array<std::size_t, sim::provenance_count> order{};
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto& cycles = spent.by_provenance;
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return cycles[a] > cycles[b]; });
    std::string out;
    for (const std::size_t one : order) {
        const double part = percentage(cycles[one], spent.cycles);
        if (part < least_percent) break;
        out += (out.empty() ? "" : ", ") + provenance_title(static_cast<sim::Provenance>(one)) + " " +
               decimal(part, 1) + " %";
    }
    return out.empty() ? "nothing" : out;
}

std::string misses_text(const sim::Spending& spent) {
    std::string out;
    for (std::size_t i = 0; i < sim::miss_count; ++i) {
        const double rate = per_thousand(spent, i);
        if (rate < least_rate) continue;
        out +=
            (out.empty() ? "" : ", ") + std::string(sim::miss_name(static_cast<sim::Miss>(i))) + " " + decimal(rate, 2);
    }
    return out.empty() ? "none" : out + " of 1,000 instructions";
}

std::string stack_table(const std::vector<sim::MarkSummary>& marks, const std::vector<sim::FunctionSummary>& functions,
                        std::size_t rows, const Style& style) {
    std::vector<SpendingColumn> columns = {{"CPI", cycles_per_instruction}};
    for (std::size_t wait = 0; wait < sim::wait_count; ++wait) {
        const auto cause = static_cast<sim::Wait>(wait);
        columns.push_back({cause == sim::Wait::none ? "base" : wait_word(cause),
                           [wait](const sim::Spending& spent) { return share_text(share(spent, wait)); }});
    }
    return spending_tables("% of cycles", columns, shown_rows(marks, functions, rows), style);
}

std::string misses_table(const std::vector<sim::MarkSummary>& marks, const std::vector<sim::FunctionSummary>& functions,
                         std::size_t rows, const Style& style) {
    std::vector<SpendingColumn> columns;
    for (std::size_t i = 0; i < sim::miss_count; ++i)
        columns.push_back({std::string(sim::miss_name(static_cast<sim::Miss>(i))), [i](const sim::Spending& spent) {
                               const double rate = per_thousand(spent, i);
                               return rate < least_rate ? "" : decimal(rate, 2);
                           }});
    return spending_tables("of 1,000 instructions", columns, shown_rows(marks, functions, rows), style);
}

std::string provenance_table(const std::vector<sim::MarkSummary>& marks,
                             const std::vector<sim::FunctionSummary>& functions, std::size_t rows, const Style& style) {
    std::vector<SpendingColumn> columns = {
        {"cycles in all", [](const sim::Spending& spent) { return ranged(spent.cycles, spent.less, spent.more); }}};
    for (std::size_t i = 0; i < sim::provenance_count; ++i)
        columns.push_back({provenance_title(static_cast<sim::Provenance>(i)), [i](const sim::Spending& spent) {
                               return share_text(percentage(spent.by_provenance[i], spent.cycles));
                           }});
    return spending_tables("% of cycles rest on", columns, shown_rows(marks, functions, rows), style);
}

nlohmann::ordered_json waits_json(const sim::Spending& spent) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (std::size_t wait = 0; wait < sim::wait_count; ++wait) {
        if (!spent.by_wait[wait]) continue;
        json[wait_key(static_cast<sim::Wait>(wait))] = spent.by_wait[wait];
    }
    return json;
}

nlohmann::ordered_json provenance_json(const sim::Spending& spent) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < sim::provenance_count; ++i)
        if (spent.by_provenance[i]) json[provenance_key(static_cast<sim::Provenance>(i))] = spent.by_provenance[i];
    return json;
}

nlohmann::ordered_json misses_json(const sim::Spending& spent) {
    nlohmann::ordered_json json = {{"accesses", spent.accesses}, {"branches", spent.branches}};
    for (std::size_t i = 0; i < sim::miss_count; ++i) json[miss_key(static_cast<sim::Miss>(i))] = spent.misses[i];
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
