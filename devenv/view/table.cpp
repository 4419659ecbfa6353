// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/view/format.hpp>
#include <devenv/view/table.hpp>

namespace devenv {

namespace {

std::string padded(const std::string& text, std::size_t width, Align align) {
    const std::string space(width - std::min(width, columns(text)), ' ');
    return align == Align::left ? text + space : space + text;
}

constexpr std::size_t gap = 2, shortest_name = 16;

// Columns of width 0 are left out.
std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                 const std::vector<Column>& layout) {
    std::string out;
    for (std::size_t i = 0; i < layout.size(); ++i) {
        if (widths[i] == 0) continue;
        const std::string cell = i < cells.size() ? shorten(cells[i], widths[i]) : std::string();
        out += std::string(gap, ' ') + padded(cell, widths[i], layout[i].align);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
}

std::size_t total(const std::vector<std::size_t>& widths) {
    std::size_t sum = 0;
    for (const std::size_t width : widths) sum += width ? gap + width : 0;
    return sum;
}

}  // namespace

std::vector<std::size_t> Table::widths() const {
    std::vector<std::size_t> widths;
    for (const Column& column : columns_) widths.push_back(columns(column.title));
    for (const auto& cells : rows_) {
        for (std::size_t i = 0; i < std::min(cells.size(), widths.size()); ++i) {
            widths[i] = std::max(widths[i], columns(cells[i]));
        }
    }
    return widths;
}

void Table::fit(std::size_t width, std::vector<std::size_t>& widths) const {
    for (std::size_t i = 0; i < widths.size() && total(widths) > width; ++i) {
        const std::size_t least = std::max(shortest_name, columns(columns_[i].title));
        if (columns_[i].align != Align::left || widths[i] <= least) continue;
        widths[i] = std::max(least, widths[i] - std::min(widths[i], total(widths) - width));
    }
    for (std::size_t i = widths.size(); i-- > 0 && total(widths) > width;) {
        if (columns_[i].optional) widths[i] = 0;
    }
}

std::string Table::text(const Style& style) const {
    std::vector<std::size_t> fitted = widths();
    if (style.width) fit(style.width, fitted);
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    std::string out = style.bold(line(titles, fitted, columns_)) + "\n";
    for (const auto& cells : rows_) out += line(cells, fitted, columns_) + "\n";
    return out;
}

}  // namespace devenv
