// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/timing/json_reader.hpp>

namespace sim {

std::string_view provenance_name(Provenance provenance) {
    static constexpr std::string_view names[] = {"measured",    "published",  "estimate",
                                                 "placeholder", "scheduling", "definition"};
    return names[static_cast<std::size_t>(provenance)];
}

namespace timing {

nlohmann::json parse_json(std::string_view text, const std::string& file) {
    try {
        return nlohmann::json::parse(text, nullptr, true, true);
    } catch (const nlohmann::json::parse_error& error) {
        std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line 3, column 5: ..."
        if (const auto at = what.find("line "); at != what.npos) what = what.substr(at);
        throw DataError(file + ": " + what);
    }
}

ObjectReader::ObjectReader(const nlohmann::json& object, std::string place)
    : object_(object), place_(std::move(place)) {
    if (!object_.is_object()) throw DataError(place_ + ": is not an object");
}

void ObjectReader::fail(const char* field, const std::string& what) const {
    throw DataError(place_ + ": " + field + ": " + what);
}

const nlohmann::json& ObjectReader::get(const char* field) {
    const auto found = object_.find(field);
    if (found == object_.end()) fail(field, "is missing");
    asked_.insert(field);
    return *found;
}

ObjectReader ObjectReader::object(const char* field) { return {get(field), place_ + ": " + field}; }

std::string ObjectReader::text(const char* field) {
    const nlohmann::json& value = get(field);
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) fail(field, "is not a text");
    return value;
}

std::string ObjectReader::text_or(const char* field, std::string otherwise) {
    return has(field) ? text(field) : std::move(otherwise);
}

bool ObjectReader::flag(const char* field) {
    const nlohmann::json& value = get(field);
    if (!value.is_boolean()) fail(field, "is neither true nor false");
    return value;
}

std::uint32_t ObjectReader::whole(const nlohmann::json& value, const char* field, std::uint32_t least,
                                  std::uint32_t most) const {
    if (!value.is_number_integer()) fail(field, "is not a whole number: " + value.dump());
    const bool fits =
        value.is_number_unsigned() && value.get<std::uint64_t>() >= least && value.get<std::uint64_t>() <= most;
    if (!fits) fail(field, value.dump() + " is not from " + std::to_string(least) + " to " + std::to_string(most));
    return value;
}

std::uint32_t ObjectReader::number(const char* field, std::uint32_t least, std::uint32_t most) {
    return whole(get(field), field, least, most);
}

std::vector<std::string> ObjectReader::texts(const char* field) {
    const nlohmann::json& value = get(field);
    if (!value.is_array() || value.empty()) fail(field, "is not a list of texts");
    std::vector<std::string> list;
    for (const nlohmann::json& one : value) {
        if (!one.is_string() || one.get_ref<const std::string&>().empty()) fail(field, "has what is no text");
        list.push_back(one);
    }
    return list;
}

std::vector<std::uint32_t> ObjectReader::numbers(const char* field) {
    const nlohmann::json& value = get(field);
    if (!value.is_array()) return {whole(value, field, 0, 1u << 30)};
    std::vector<std::uint32_t> list;
    for (const nlohmann::json& one : value) list.push_back(whole(one, field, 0, 1u << 30));
    return list;
}

Evidence ObjectReader::evidence() {
    Evidence evidence;
    unsigned given = 0;
    for (const Provenance provenance : {Provenance::measured, Provenance::published, Provenance::estimate}) {
        const char* name = provenance_name(provenance).data();
        if (!has(name)) continue;
        evidence = {provenance, text(name), {}};
        ++given;
    }
    if (given != 1)
        throw DataError(place_ + ": " + (given ? "more than one" : "none") +
                        " of the fields measured, published, estimate: it needs one of them");
    if (has("patterns")) evidence.patterns = texts("patterns");
    return evidence;
}

void ObjectReader::finish() const {
    for (const auto& [name, value] : object_.items())
        if (!asked_.contains(name)) fail(name.c_str(), "there is no such field");
}

}  // namespace timing
}  // namespace sim
