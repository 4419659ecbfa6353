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

std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                 const std::vector<Column>& layout) {
    std::string out;
    for (std::size_t i = 0; i < layout.size(); ++i) {
        out += "  " + padded(i < cells.size() ? cells[i] : std::string(), widths[i], layout[i].align);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
}

}  // namespace

std::string Table::text(const Style& style) const {
    std::vector<std::size_t> widths;
    std::vector<std::string> titles;
    for (const Column& column : columns_) {
        widths.push_back(columns(column.title));
        titles.push_back(column.title);
    }
    for (const auto& cells : rows_) {
        for (std::size_t i = 0; i < std::min(cells.size(), widths.size()); ++i) {
            widths[i] = std::max(widths[i], columns(cells[i]));
        }
    }
    std::string out = style.bold(line(titles, widths, columns_)) + "\n";
    for (const auto& cells : rows_) out += line(cells, widths, columns_) + "\n";
    return out;
}

}  // namespace devenv
