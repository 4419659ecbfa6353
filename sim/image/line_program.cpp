// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/image/line_program.hpp>
#include <string_view>
#include <vector>

namespace sim::detail {
namespace {

using Bytes = std::span<const std::uint8_t>;

// Values from a span. After reading past the end `ok` is false and every value zero.
class Reader {
  public:
    explicit Reader(Bytes bytes) : bytes_(bytes) {}

    bool ok = true;
    std::size_t position() const { return at_; }
    std::size_t left() const { return ok ? bytes_.size() - at_ : 0; }

    Bytes take(std::uint64_t size) {
        if (size > left()) ok = false;
        if (!ok) return {};
        const auto taken = bytes_.subspan(at_, size);
        at_ += size;
        return taken;
    }
    std::uint64_t value(unsigned bytes) {  // little-endian, up to 8 bytes
        std::uint64_t result = 0;
        unsigned shift = 0;
        for (const std::uint8_t byte : take(bytes)) {
            result |= std::uint64_t{byte} << shift;
            shift += 8;
        }
        return result;
    }
    std::uint64_t uleb() { return leb(false); }
    std::int64_t sleb() { return static_cast<std::int64_t>(leb(true)); }
    std::string_view text() {  // zero-terminated
        const auto rest = bytes_.subspan(at_, left());
        const auto end = std::ranges::find(rest, std::uint8_t{0});
        if (end == rest.end()) ok = false;
        const auto size = static_cast<std::size_t>(end - rest.begin());
        const auto taken = take(size + 1);
        return {reinterpret_cast<const char*>(taken.data()), ok ? size : 0};
    }

  private:
    std::uint64_t leb(bool sign) {
        std::uint64_t result = 0;
        for (unsigned shift = 0; ok; shift += 7) {
            const auto byte = value(1);
            if (shift < 64) result |= (byte & 0x7f) << shift;
            if ((byte & 0x80) != 0) continue;
            if (sign && (byte & 0x40) != 0 && shift + 7 < 64) result |= ~std::uint64_t{0} << (shift + 7);
            break;
        }
        return result;
    }

    Bytes bytes_;
    std::size_t at_ = 0;
};

struct FileEntry {
    std::string_view name;
    std::uint64_t directory = 0;
};

struct Header {
    unsigned version = 0;
    unsigned offset_bytes = 4;  // 8 in 64-bit DWARF
    std::uint8_t instruction_bytes = 1;
    std::int8_t line_base = 0;
    std::uint8_t line_range = 1;
    std::uint8_t opcode_base = 1;
    Bytes operand_counts;  // of standard opcodes, from 1
    std::vector<std::string_view> directories;
    std::vector<FileEntry> files;

    std::string path(std::uint64_t file) const;
};

// Up to version 4, files and directories count from 1; directory 0 is the compiler's own, in every version.
std::string Header::path(std::uint64_t file) const {
    const std::uint64_t index = version >= 5 ? file : file - 1;
    if (index >= files.size()) return {};
    const auto& entry = files[index];
    const std::uint64_t directory = version >= 5 ? entry.directory : entry.directory - 1;
    if (entry.directory == 0 || entry.name.starts_with('/') || directory >= directories.size())
        return std::string(entry.name);
    return std::string(directories[directory]) + "/" + std::string(entry.name);
}

std::string_view string_at(Bytes section, std::uint64_t offset) {
    if (offset >= section.size()) return {};
    return Reader(section.subspan(offset)).text();
}

enum Form : std::uint64_t {
    form_data2 = 0x05,
    form_data4 = 0x06,
    form_data8 = 0x07,
    form_string = 0x08,
    form_block = 0x09,
    form_data1 = 0x0b,
    form_strp = 0x0e,
    form_udata = 0x0f,
    form_data16 = 0x1e,
    form_line_strp = 0x1f,
};
enum Content : std::uint64_t { content_path = 1, content_directory = 2 };

// One attribute of a file or directory in a version 5 header; an unknown form ends the unit.
void read_attribute(Reader& in, const LineSections& sections, unsigned offset_bytes, std::uint64_t content,
                    std::uint64_t form, FileEntry& entry) {
    std::string_view text;
    std::uint64_t number = 0;
    switch (form) {
        case form_string:
            text = in.text();
            break;
        case form_line_strp:
            text = string_at(sections.debug_line_str, in.value(offset_bytes));
            break;
        case form_strp:
            text = string_at(sections.debug_str, in.value(offset_bytes));
            break;
        case form_udata:
            number = in.uleb();
            break;
        case form_data1:
            number = in.value(1);
            break;
        case form_data2:
            number = in.value(2);
            break;
        case form_data4:
            number = in.value(4);
            break;
        case form_data8:
            number = in.value(8);
            break;
        case form_data16:
            in.take(16);
            break;
        case form_block:
            in.take(in.uleb());
            break;
        default:
            in.ok = false;
    }
    if (content == content_path) entry.name = text;
    if (content == content_directory) entry.directory = number;
}

std::vector<FileEntry> read_entries(Reader& in, const LineSections& sections, unsigned offset_bytes) {
    struct Attribute {
        std::uint64_t content, form;
    };
    std::vector<Attribute> format(in.value(1));
    for (auto& attribute : format) {
        attribute.content = in.uleb();
        attribute.form = in.uleb();
    }
    std::vector<FileEntry> entries;
    const std::uint64_t count = in.uleb();
    if (format.empty()) return entries;  // else every entry takes a byte or more, so that the loop ends
    for (std::uint64_t i = 0; i < count && in.ok; ++i) {
        FileEntry entry;
        for (const auto& a : format) read_attribute(in, sections, offset_bytes, a.content, a.form, entry);
        if (in.ok) entries.push_back(entry);
    }
    return entries;
}

void read_old_entries(Reader& in, Header& header) {
    for (auto name = in.text(); !name.empty(); name = in.text()) header.directories.push_back(name);
    for (auto name = in.text(); !name.empty(); name = in.text()) {
        header.files.push_back({name, in.uleb()});
        in.uleb();  // time of modification
        in.uleb();  // length
    }
}

// Leaves `in` at the program.
Header read_header(Reader& in, const LineSections& sections, unsigned offset_bytes) {
    Header header{.offset_bytes = offset_bytes};
    header.version = static_cast<unsigned>(in.value(2));
    if (header.version < 2 || header.version > 5) in.ok = false;
    if (header.version >= 5) in.take(2);  // sizes of addresses and segment selectors
    const std::uint64_t header_bytes = in.value(offset_bytes);
    const std::size_t program = in.position() + std::min<std::uint64_t>(header_bytes, in.left());
    header.instruction_bytes = static_cast<std::uint8_t>(in.value(1));
    if (header.version >= 4) in.take(1);  // operations an instruction: 1 on this machine
    in.take(1);                           // is_stmt
    header.line_base = static_cast<std::int8_t>(in.value(1));
    header.line_range = static_cast<std::uint8_t>(in.value(1));
    header.opcode_base = static_cast<std::uint8_t>(in.value(1));
    if (header.line_range == 0 || header.opcode_base == 0) in.ok = false;
    header.operand_counts = in.take(header.opcode_base - 1u);
    if (header.version >= 5) {
        for (const auto& d : read_entries(in, sections, offset_bytes)) header.directories.push_back(d.name);
        header.files = read_entries(in, sections, offset_bytes);
    } else {
        read_old_entries(in, header);
    }
    if (in.position() > program) in.ok = false;
    in.take(program - in.position());
    return header;
}

// The state machine of DWARF 5, 6.2.2, with the registers that matter here.
class Program {
  public:
    Program(Reader& in, const Header& header, const LineSink& sink) : in_(in), header_(header), sink_(sink) {}
    void run() {
        while (in_.left() != 0) step(static_cast<std::uint8_t>(in_.value(1)));
    }

  private:
    struct Row {
        std::uint64_t address = 0;
        std::uint64_t file = 1;
        std::uint32_t line = 1;
    };

    void advance(std::uint64_t operations) { row_.address += operations * header_.instruction_bytes; }

    void emit() {
        if (open_ && last_.address < row_.address && last_.line != 0 && in_.ok) {
            if (!named_ || named_file_ != last_.file) path_ = header_.path(last_.file);
            named_ = true;
            named_file_ = last_.file;
            sink_(last_.address, row_.address, path_, last_.line);
        }
        last_ = row_;
        open_ = true;
    }

    void step(std::uint8_t opcode) {
        if (opcode >= header_.opcode_base) {  // special
            const unsigned adjusted = opcode - header_.opcode_base;
            advance(adjusted / header_.line_range);
            row_.line +=
                static_cast<std::uint32_t>(header_.line_base + static_cast<int>(adjusted % header_.line_range));
            emit();
            return;
        }
        switch (opcode) {
            case 0:
                extended();
                break;
            case 1:
                emit();
                break;  // copy
            case 2:
                advance(in_.uleb());
                break;  // advance_pc
            case 3:
                row_.line += static_cast<std::uint32_t>(in_.sleb());
                break;  // advance_line
            case 4:
                row_.file = in_.uleb();
                break;  // set_file
            case 8:
                advance((255u - header_.opcode_base) / header_.line_range);
                break;  // const_add_pc
            case 9:
                row_.address += in_.value(2);
                break;  // fixed_advance_pc
            default:    // no influence on address, file or line
                for (unsigned n = header_.operand_counts[opcode - 1u]; n != 0; --n) in_.uleb();
        }
    }

    void extended() {
        const auto instruction = in_.take(in_.uleb());
        if (instruction.empty()) return;
        Reader operand(instruction.subspan(1));
        if (instruction[0] == 1) {  // end_sequence
            emit();
            row_ = {};
            open_ = false;
        } else if (instruction[0] == 2) {  // set_address
            row_.address = operand.value(static_cast<unsigned>(std::min<std::size_t>(operand.left(), 8)));
        }
    }

    Reader& in_;
    const Header& header_;
    const LineSink& sink_;
    Row row_, last_;
    bool open_ = false;   // last_ is of this sequence
    bool named_ = false;  // path_ is of named_file_
    std::uint64_t named_file_ = 0;
    std::string path_;
};

}  // namespace

void read_line_programs(const LineSections& sections, const LineSink& sink) {
    Reader units(sections.debug_line);
    while (units.left() != 0) {
        unsigned offset_bytes = 4;
        std::uint64_t size = units.value(4);
        if (size == 0xffff'ffff) {
            offset_bytes = 8;
            size = units.value(8);
        }
        Reader unit(units.take(size));
        const Header header = read_header(unit, sections, offset_bytes);
        Program(unit, header, sink).run();
    }
}

}  // namespace sim::detail
