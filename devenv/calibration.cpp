// SPDX-License-Identifier: GPL-2.0-or-later
#include <abi/result.hpp>
#include <algorithm>
#include <charconv>
#include <devenv/calibration.hpp>
#include <devenv/machine_watch.hpp>
#include <map>
#include <optional>

namespace devenv {

namespace {

constexpr std::string_view prefix = "calibrate.";
constexpr std::size_t figures_most = 1000;

std::optional<unsigned> number(std::string_view text) {
    unsigned value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

// "exo-machine 1 vendor=... crc32c=..." as kernel/abi/result.hpp says.
std::optional<CalibrationMachine> parse_machine(std::string_view line) {
    using namespace exo::abi;
    const std::size_t sum = line.rfind(result_checksum);
    if (!line.starts_with(machine_start) || sum == line.npos || sum < machine_start.size()) return std::nullopt;
    const std::string_view digits = line.substr(sum + result_checksum.size());
    std::uint32_t crc = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), crc, 16);
    if (digits.size() != 8 || error != std::errc{} || stop != digits.data() + 8 ||
        crc != result_crc32c(line.substr(0, sum)))
        return std::nullopt;
    std::map<std::string_view, std::string_view> words;
    for (std::string_view rest = line.substr(machine_start.size(), sum - machine_start.size()); !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        if (const std::size_t equals = word.find('='); equals != word.npos)
            words[word.substr(0, equals)] = word.substr(equals + 1);
    }
    const auto family = number(words["family"]), model = number(words["model"]), stepping = number(words["stepping"]);
    if (words["vendor"].empty() || words["hypervisor"].empty() || words["firmware"].empty() || !family || !model ||
        !stepping)
        return std::nullopt;
    return CalibrationMachine{std::string(words["vendor"]),
                              std::string(words["hypervisor"]),
                              std::string(words["firmware"]),
                              std::string(words["brand"]),
                              *family,
                              *model,
                              *stepping};
}

// Lines as they come; figures once all is read.
class Reader {
  public:
    void line(std::string_view text) {
        using namespace exo::abi;
        if (text.starts_with("Exo-OS ") && text.find(", entered by ") != text.npos) *this = {};  // it starts (again)
        if (const std::size_t at = text.find("exo-machine "); at != text.npos) return machine(text.substr(at));
        if (const std::size_t at = text.find("exo-result "); at != text.npos) result(text.substr(at));
    }

    Calibration finish() {
        for (const std::string& name : order_) {
            const auto part = [&](const char* which) -> std::optional<std::uint64_t> {
                const auto found = parts_.find(name + which);
                return found == parts_.end() ? std::nullopt : std::optional(found->second);
            };
            const auto least = part(".min"), median = part(".median"), high = part(".high");
            if (!least || !median || !high || *least > *median || *median > *high) {
                ++calibration_.incomplete;
                continue;
            }
            const CalibrationFigure figure{name, *least, *median, *high};
            if (name == "clock") calibration_.clock = figure;
            else calibration_.figures.push_back(figure);
        }
        return std::move(calibration_);
    }

  private:
    void machine(std::string_view text) {
        const auto machine = parse_machine(text);
        if (!machine) {
            ++calibration_.damaged;
            return;
        }
        *this = {};
        calibration_.machine = *machine;
        calibration_.has_machine = true;
    }

    void result(std::string_view text) {
        const MachineResult result = parse_result(text);
        if (result.name.empty()) {
            ++calibration_.damaged;
            return;
        }
        if (!result.name.starts_with(prefix)) return;  // of something else
        const std::string name = result.name.substr(prefix.size());
        if (result.unit == "figures") calibration_.announced = result.value;
        if (result.unit != (name.starts_with("clock.") ? "milliticks" : "millicycles")) return;
        const std::string figure = name.substr(0, name.rfind('.'));
        if (std::find(order_.begin(), order_.end(), figure) == order_.end()) {
            if (order_.size() >= figures_most) return;
            order_.push_back(figure);
        }
        parts_[name] = result.value;
    }

    Calibration calibration_;
    std::vector<std::string> order_;
    std::map<std::string, std::uint64_t> parts_;
};

struct Known {
    std::string_view signature, name;
};
constexpr Known emulators[] = {{"TCGTCGTCGTCG", "QEMU's TCG"}, {"ExoBoard", "the board of exo-dev sim and run"}};
constexpr Known hypervisors[] = {{"KVMKVMKVM", "KVM"},    {"VMwareVMware", "VMware"},     {"Microsoft_Hv", "Hyper-V"},
                                 {"XenVMMXenVMM", "Xen"}, {"VBoxVBoxVBox", "VirtualBox"}, {"bhyve_bhyve", "bhyve"},
                                 {"ACRNACRNACRN", "ACRN"}};

// No processor has ever identified itself in less.
constexpr std::uint64_t least_cpuid_millicycles = 20'000;

}  // namespace

std::string CalibrationMachine::text() const {
    std::string name = brand.empty() || brand == "unknown" ? vendor : brand;
    std::replace(name.begin(), name.end(), '_', ' ');
    name.erase(std::unique(name.begin(), name.end(), [](char a, char b) { return a == ' ' && b == ' '; }), name.end());
    return name + " (" + vendor + ", family " + std::to_string(family) + ", model " + std::to_string(model) +
           ", stepping " + std::to_string(stepping) + ")";
}

const CalibrationFigure* Calibration::find(std::string_view name) const {
    const auto found = std::ranges::find(figures, name, &CalibrationFigure::name);
    return found == figures.end() ? nullptr : &*found;
}

Calibration read_calibration(std::string_view console) {
    Reader reader;
    while (!console.empty()) {
        const std::size_t end = std::min(console.find('\n'), console.size());
        std::string_view line = console.substr(0, end);
        console.remove_prefix(std::min(console.size(), end + 1));
        while (line.ends_with('\r')) line.remove_suffix(1);
        reader.line(line);
    }
    return reader.finish();
}

CalibrationVerdict judge(const Calibration& c) {
    using enum CalibrationSource;
    if (!c.has_machine) return {refused, "the line that says on what it ran (exo-machine) is missing or damaged"};
    if (c.figures.empty()) return {refused, "no figure has come through whole"};
    if (c.clock.median == 0) return {refused, "the core's clock (calibrate.clock) is missing: cycles mean nothing"};
    const std::string& hypervisor = c.machine.hypervisor;
    for (const Known& known : emulators)
        if (hypervisor == known.signature) return {refused, "not hardware: " + std::string(known.name)};
    if (c.machine.brand.find("QEMU_TCG") != std::string::npos ||
        c.machine.brand.find("QEMU_Virtual") != std::string::npos)
        return {refused, "not hardware: QEMU by the CPU's name"};
    if (hypervisor == "none" && c.machine.firmware == "BOCHS")
        return {refused,
                "not hardware: an emulator's firmware (BOCHS) without a hypervisor: Bochs, or QEMU that hides"};
    // The one figure that tells an emulator which hides: without it, nothing does.
    const CalibrationFigure* cpuid = c.find("cpuid");
    if (!cpuid) return {refused, "the figure of CPUID, which shows whether this is hardware, is missing or damaged"};
    if (cpuid->median < least_cpuid_millicycles)
        return {refused, "not hardware: CPUID in " + std::to_string(cpuid->median / 1000) + " cycles"};
    if (hypervisor == "none") return {hardware, ""};
    for (const Known& known : hypervisors)
        if (hypervisor == known.signature) return {guest, std::string(known.name)};
    return {refused, "under an unknown hypervisor ('" + hypervisor + "'): it may be an emulator"};
}

}  // namespace devenv
