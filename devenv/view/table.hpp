// SPDX-License-Identifier: GPL-2.0-or-later
// A table of text: columns as wide as they need, numbers to the right. On a narrow terminal names are shortened first,
// then columns that say so are left out, the last one first.
#pragma once
#include <devenv/view/style.hpp>
#include <string>
#include <vector>

namespace devenv {

enum class Align { left, right };

struct Column {
    std::string title;
    Align align = Align::right;
    bool optional = false;  // left out where the terminal is too narrow
};

class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }  // missing cells are empty
    bool empty() const { return rows_.empty(); }
    std::string text(const Style&) const;  // header and rows, a line each, two spaces in front

  private:
    std::vector<std::size_t> widths() const;
    void fit(std::size_t width, std::vector<std::size_t>& widths) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace devenv
