// SPDX-License-Identifier: GPL-2.0-or-later
// Data files are JSON with comments. A reader of one object of such a file: it knows where it is, so that each error
// names file, entry and field, and it refuses fields that nobody asked for, which are misspelt ones.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <sim/timing/provenance.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sim::timing {

// Throws DataError with the line and column of what is no JSON.
nlohmann::json parse_json(std::string_view text, const std::string& file);

class ObjectReader {
  public:
    // `place`: "znver4.json: caches". The object must outlive the reader.
    ObjectReader(const nlohmann::json& object, std::string place);

    bool has(const char* field) const { return object_.contains(field); }
    const nlohmann::json& get(const char* field);  // it must be there
    ObjectReader object(const char* field);
    std::string text(const char* field);
    std::string text_or(const char* field, std::string otherwise);
    bool flag(const char* field);
    std::uint32_t number(const char* field, std::uint32_t least, std::uint32_t most);
    std::vector<std::string> texts(const char* field);      // one at least
    std::vector<std::uint32_t> numbers(const char* field);  // a number is a list of one
    // Exactly one of "measured", "published" and "estimate".
    Evidence evidence();

    // Every field has been asked for.
    void finish() const;
    [[noreturn]] void fail(const char* field, const std::string& what) const;
    const std::string& place() const { return place_; }

  private:
    std::uint32_t whole(const nlohmann::json& value, const char* field, std::uint32_t least, std::uint32_t most) const;

    const nlohmann::json& object_;
    std::string place_;
    std::set<std::string> asked_;
};

}  // namespace sim::timing
