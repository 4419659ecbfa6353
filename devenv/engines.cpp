// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/boot_image.hpp>
#include <devenv/engines.hpp>
#include <devenv/environment.hpp>
#include <devenv/mark_window.hpp>
#include <devenv/simulate.hpp>
#include <fstream>
#include <map>
#include <sim/bochs/engine.hpp>
#include <sim/qemu/engine.hpp>
#include <utility>

namespace devenv {

namespace {

void need(const sim::Engine& engine, bool asked, bool able, const char* option, const char* capability) {
    if (!asked || able) return;
    throw Failure(Exit::missing, std::string(option) + " needs " + capability + ", which the engine " + engine.name() +
                                     " does not have; use --engine unicorn");
}

void check(const sim::Engine& engine, const Scenario& scenario) {
    const sim::Capabilities can = engine.capabilities();
    need(engine, scenario.clock == "cycles", can.cycle_clock, "--clock cycles", "a clock fed by the timing model");
    need(engine, !scenario.irq_at.empty(), can.exact_interrupts, "--irq-at", "exact placement of interrupts");
    need(engine, scenario.jitter, can.exact_interrupts, "--jitter", "exact placement of interrupts");
    need(engine, scenario.cpus > 1, can.several_cpus, "--cpus", "several CPUs");
    if (scenario.engine != "qemu") return;
    need(engine, scenario.entry != "auto" && scenario.entry != "pvh", false, ("--entry " + scenario.entry).c_str(),
         "entry other than by PVH");
    need(engine, scenario.quantum != sim::default_quantum, false, "--quantum", "turns of a chosen length");
}

std::size_t letters_apart(std::string_view a, std::string_view b) {  // Levenshtein
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t i = 0; i <= b.size(); ++i) row[i] = i;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
        }
    }
    return row[b.size()];
}

[[noreturn]] void no_such_mark(const sim::Image& image, const std::string& wanted) {
    constexpr std::size_t shown = 5;
    std::multimap<std::size_t, std::string> nearest;
    std::set<std::string> seen;
    for (const sim::Mark& mark : image.marks()) {
        if (seen.insert(mark.name).second) nearest.emplace(letters_apart(wanted, mark.name), mark.name);
    }
    std::string names;
    for (auto each = nearest.begin(); each != nearest.end() && names.size() < 200; ++each) {
        if (std::size_t(std::distance(nearest.begin(), each)) == shown) break;
        names += (names.empty() ? "" : ", ") + each->second;
    }
    throw Failure(Exit::usage, "--window " + wanted + ": " + image.name() + " has no such mark" +
                                   (names.empty() ? "; it has none at all" : "; the nearest are " + names));
}

sim::BochsWindow window(const Scenario& scenario, const sim::Image& image) {
    const MarkChoice choice = parse_mark_choice(scenario.window, "--window");
    if (choice.number > sim::bochs_occurrence_most) {
        throw Failure(Exit::usage, "--window " + scenario.window + ": at most the " +
                                       std::to_string(sim::bochs_occurrence_most) + "th");
    }
    sim::BochsWindow window{
        .mark = choice.name, .number = choice.number, .begins = {}, .ends = {}, .count = scenario.count};
    for (const sim::Mark& mark : image.marks()) {
        if (mark.name != choice.name) continue;
        (mark.kind == exo::abi::MarkKind::end ? window.ends : window.begins).insert(mark.address);
    }
    if (window.begins.empty()) no_such_mark(image, choice.name);
    return window;
}

std::unique_ptr<sim::Engine> make_bochs(const Scenario& scenario, const sim::Image& image) {
    if (scenario.window.empty()) {
        throw Failure(Exit::usage,
                      "--engine bochs traces a window, which --window MARK[:N] names, such as --window boot");
    }
    const auto make_image = [&image](const std::filesystem::path& iso, const std::string& command_line) {
        write_iso_of(image, iso, command_line);
    };
    return sim::make_bochs_engine(window(scenario, image), make_image);
}

}  // namespace

void write_iso_of(const sim::Image& image, const std::filesystem::path& iso, const std::string& command_line) {
    const std::filesystem::path kernel = iso.parent_path() / "kernel.elf";
    std::ofstream file(kernel, std::ios::binary);
    const auto bytes = image.bytes();
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) throw Failure(Exit::difference, kernel.string() + ": cannot be written; is the disk full?");
    write_iso(iso, {.kernel = kernel, .command_line = command_line, .menu = false});
}

std::unique_ptr<sim::Engine> make_engine(const std::string& name, const Scenario& scenario, const sim::Image& image) {
    if (name != "bochs" && (!scenario.window.empty() || scenario.count))
        throw Failure(Exit::usage,
                      "--window and --count are for --engine bochs only: " + name + " traces all of a run");
    if (scenario.ram_mib > simulated_ram_mib_most)
        throw Failure(Exit::usage, "--ram " + std::to_string(scenario.ram_mib) + ": at most " +
                                       std::to_string(simulated_ram_mib_most) +
                                       " MiB here, all below 4 GiB; more in exo-dev run --engine qemu or bochs");
    auto engine = name == "qemu"    ? sim::make_qemu_engine(environment().qemu_plugin())
                  : name == "bochs" ? make_bochs(scenario, image)
                                    : sim::make_unicorn_engine();
    check(*engine, scenario);
    need(*engine, name == "bochs" && (scenario.entry == "direct" || scenario.entry == "pvh"), false,
         ("--entry " + scenario.entry).c_str(), "a way in besides multiboot2");
    return engine;
}

}  // namespace devenv
