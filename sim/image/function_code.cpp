// SPDX-License-Identifier: GPL-2.0-or-later
#include <llvm/Demangle/Demangle.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>
#include <algorithm>
#include <sim/image/elf.hpp>
#include <sim/image/function_code.hpp>

namespace sim {

namespace {

namespace object = llvm::object;

// A demangled name without its parameters.
std::string without_parameters(std::string name) {
    constexpr std::string_view anonymous = "(anonymous namespace)";
    auto at = name.find('(');
    while (at != name.npos && name.compare(at, anonymous.size(), anonymous) == 0)
        at = name.find('(', at + anonymous.size());
    return name.substr(0, at);
}

bool is_called(const std::string& symbol, std::string_view name) {
    if (symbol == name) return true;
    const std::string plain = llvm::demangle(symbol);
    return plain == name || without_parameters(plain) == name;
}

// Of a library's error, or of a value.
template <typename T>
T checked(llvm::Expected<T> value, const std::string& file) {
    if (!value)
        detail::image_error(file, "the ELF file is damaged: " + llvm::toString(value.takeError()), "give another file");
    return std::move(*value);
}

std::vector<object::ELFSymbolRef> symbols_of(const object::ELFObjectFileBase& elf) {
    std::vector<object::ELFSymbolRef> symbols;
    for (const object::ELFSymbolRef symbol : elf.symbols()) symbols.push_back(symbol);
    if (!symbols.empty()) return symbols;
    for (const object::ELFSymbolRef symbol : elf.getDynamicSymbolIterators()) symbols.push_back(symbol);
    return symbols;
}

// The nearest names for the message: those that hold the one that was asked for, then those that fewest letters make
// it, of their last part alone if that is nearer.
std::string like(const std::vector<std::string>& names, std::string_view wanted) {
    constexpr std::size_t most = 3;
    if (wanted.empty()) return "";
    const unsigned letters_most =
        std::max<unsigned>(2, static_cast<unsigned>(std::min<std::size_t>(wanted.size(), 60)) / 3);
    std::vector<std::pair<unsigned, std::string>> near;
    const auto distance = [&](std::string_view name) {
        return llvm::StringRef(name).edit_distance(llvm::StringRef(wanted), true, letters_most);
    };
    for (const std::string& name : names) {
        const std::string plain = without_parameters(llvm::demangle(name));
        const std::string_view last = std::string_view(plain).substr(plain.rfind(':') + 1);
        const unsigned letters =
            plain.find(wanted) != plain.npos ? 0 : std::min(distance(plain), last.empty() ? ~0u : distance(last));
        if (letters <= letters_most) near.emplace_back(letters, plain);
    }
    std::ranges::sort(near);
    near.erase(std::ranges::unique(near).begin(), near.end());
    std::string out;
    for (std::size_t i = 0; i < std::min(most, near.size()); ++i)
        out += (i ? ", " : "; did you mean ") + near[i].second;
    return out;
}

}  // namespace

FunctionCode function_code(const std::filesystem::path& path, std::string_view name) {
    const std::string file = path.string();
    // A device may never end.
    std::error_code error;
    const auto type = std::filesystem::status(path, error).type();
    if (type == std::filesystem::file_type::character || type == std::filesystem::file_type::block)
        detail::image_error(file, "is a device", "give an ELF file");
    auto buffer = llvm::MemoryBuffer::getFile(file, false, false);
    if (!buffer) detail::image_error(file, buffer.getError().message(), "give an ELF file");
    auto parsed = object::ObjectFile::createObjectFile((*buffer)->getMemBufferRef());
    if (!parsed) {
        llvm::consumeError(parsed.takeError());
        detail::image_error(file, "is no ELF file", "give an object, a library or a program for x86-64");
    }
    const auto* elf = llvm::dyn_cast<object::ELFObjectFileBase>(parsed->get());
    if (elf == nullptr || elf->getEMachine() != llvm::ELF::EM_X86_64)
        detail::image_error(file, "is no ELF file for x86-64", "give an object, a library or a program for x86-64");

    std::vector<object::ELFSymbolRef> found;
    std::vector<std::string> functions;
    for (const object::ELFSymbolRef& symbol : symbols_of(*elf)) {
        if (symbol.getELFType() != llvm::ELF::STT_FUNC && symbol.getELFType() != llvm::ELF::STT_NOTYPE) continue;
        auto text = symbol.getName();
        if (!text) {
            llvm::consumeError(text.takeError());
            continue;
        }
        if (is_called(text->str(), name)) found.push_back(symbol);
        else functions.push_back(text->str());
    }
    // A function in the file before an undefined name of the same.
    std::erase_if(found, [&](const object::ELFSymbolRef& symbol) {
        auto section = symbol.getSection();
        if (section) return *section == elf->section_end();
        llvm::consumeError(section.takeError());
        return true;
    });
    if (found.empty())
        detail::image_error(file, "has no code of a symbol '" + std::string(name) + "'" + like(functions, name),
                            "nm -C lists its symbols");
    const object::ELFSymbolRef symbol = found.front();
    const std::string called = checked(symbol.getName(), file).str();
    const std::uint64_t address = checked(symbol.getAddress(), file);
    for (const object::ELFSymbolRef& other : found)
        if (checked(other.getAddress(), file) != address)
            detail::image_error(file, "has several functions '" + std::string(name) + "'",
                                "give the symbol as nm shows it, such as " + called);
    const auto section = checked(symbol.getSection(), file);
    const llvm::StringRef bytes = checked(section->getContents(), file);
    const std::uint64_t offset = address - section->getAddress();
    if (symbol.getSize() == 0 || !section->isText())
        detail::image_error(file, "'" + called + "' has no size or is no code", "give a function's symbol");
    if (offset > bytes.size() || symbol.getSize() > bytes.size() - offset)
        detail::image_error(file, "'" + called + "' reaches beyond its section", "give another file");
    const auto code = bytes.substr(offset, symbol.getSize());
    return {called, address, {code.bytes_begin(), code.bytes_end()}};
}

}  // namespace sim
