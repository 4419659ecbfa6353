// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <bit>
#include <regs/pc.hpp>
#include <sim/devices/local_apic.hpp>
#include <sim/engine.hpp>
#include <utility>

namespace sim {

namespace {
namespace lapic = regs::lapic;

constexpr std::uint32_t version_register = 0x0005'0014;  // 6 LVT entries, version 0x14
constexpr std::uint32_t error_illegal_vector_sent = 1u << 5, error_illegal_vector = 1u << 6;
constexpr std::uint32_t lint_mode_mask = 7u << 8, lint_external = 7u << 8;  // ExtINT
constexpr std::uint32_t timer_mode_mask = 3u << 17;
constexpr std::uint32_t processor_priority_register = 0xa0, logical_destination = 0xd0, destination_format = 0xe0;

// SplitMix64 (Steele, Lea, Flood 2014): a well-mixed function of its argument.
std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}
}  // namespace

void LocalApic::reset() {  // SDM 3A 11.4.7.1
    requested_ = in_service_ = {};
    id_ = std::uint32_t{own_id_} << 24;
    task_priority_ = error_ = icr_low_ = icr_high_ = logical_id_ = 0;
    logical_format_ = 0xffff'ffff;
    spurious_ = 0xff;
    lvt_timer_ = lvt_lint0_ = lvt_lint1_ = lvt_error_ = lapic::lvt_masked;
    divide_ = initial_ = 0;
    started_ticks_ = 0;
    expiry_ticks_ = deadline_ticks_ = never;
}

int LocalApic::highest(const Vectors& vectors) {
    for (int word = 7; word >= 0; --word)
        if (vectors[word]) return word * 32 + 31 - std::countl_zero(vectors[word]);
    return -1;
}

unsigned LocalApic::processor_priority() const {
    const int serviced = highest(in_service_);
    const unsigned service_class = serviced < 0 ? 0 : unsigned(serviced) & 0xf0;
    return std::max(task_priority_ & 0xff, service_class);
}

bool LocalApic::timer_enabled() const {
    return (spurious_ & lapic::spurious_enable) && !(lvt_timer_ & lapic::lvt_masked);
}

std::uint64_t LocalApic::count_ticks() const {
    const unsigned code = ((divide_ >> 1) & 4) | (divide_ & 3);  // 7: by 1, 0: by 2, 1: by 4 ... 6: by 128
    const std::uint64_t divider = code == 7 ? 1 : 2ull << code;
    return divider * (tsc_hz / lapic_hz);
}

void LocalApic::set_expiry(std::uint64_t expiry_ticks) {
    expiry_ticks_ = deadline_ticks_ = expiry_ticks;
    ++expiries_;
    if (jitter_seed_) deadline_ticks_ += mix(*jitter_seed_ ^ mix(expiries_)) % jitter_ticks;
}

void LocalApic::arm(std::uint64_t now_ticks) {
    started_ticks_ = now_ticks;
    expiry_ticks_ = deadline_ticks_ = never;
    if (initial_ && (lvt_timer_ & timer_mode_mask) <= lapic::lvt_periodic)  // TSC-deadline mode is not offered
        set_expiry(now_ticks + initial_ * count_ticks());
}

bool LocalApic::request(std::uint32_t vector) {
    if (vector < 16) {
        error_ |= error_illegal_vector;
        return false;
    }
    requested_[vector / 32] |= 1u << (vector % 32);
    return true;
}

void LocalApic::connect(ExternalInterrupts& external) {
    external_ = &external;
    lvt_lint0_ = lint_external;
}

bool LocalApic::passes_external() const {
    return external_ && (lvt_lint0_ & (lapic::lvt_masked | lint_mode_mask)) == lint_external;
}

std::uint64_t LocalApic::deadline_ticks() const {
    const std::uint64_t own = std::min(timer_enabled() ? deadline_ticks_ : never, message_ticks());
    return passes_external() ? std::min(own, external_->deadline_ticks()) : own;
}

void LocalApic::advance(std::uint64_t now_ticks) {
    if (external_) external_->advance(now_ticks);
    while (!posted_.empty() && posted_.front().at <= now_ticks) {
        const Message message = posted_.front().message;
        posted_.erase(posted_.begin());
        arrive(message);
    }
    if (deadline_ticks_ == never || now_ticks < deadline_ticks_) return;
    if (timer_enabled()) request(lvt_timer_ & 0xff);
    if (!(lvt_timer_ & lapic::lvt_periodic)) {
        expiry_ticks_ = deadline_ticks_ = never;
        return;
    }
    const std::uint64_t period = initial_ * count_ticks();
    const std::uint64_t missed = now_ticks > expiry_ticks_ ? (now_ticks - expiry_ticks_) / period : 0;
    started_ticks_ = expiry_ticks_ + missed * period;
    set_expiry(started_ticks_ + period);
}

bool LocalApic::raise_timer() { return timer_enabled() && request(lvt_timer_ & 0xff); }

// An external interrupt has no priority here: it comes when there is no other.
std::optional<std::uint8_t> LocalApic::pending() const {
    if (const auto own = own_pending()) return own;
    if (passes_external() && external_->requests()) return external_->next_vector();
    return std::nullopt;
}

std::optional<std::uint8_t> LocalApic::own_pending() const {
    const int vector = highest(requested_);
    if (vector < 0 || (unsigned(vector) & 0xf0) <= (processor_priority() & 0xf0)) return std::nullopt;
    return std::uint8_t(vector);
}

void LocalApic::accept(std::uint8_t vector) {
    if (!own_pending()) {
        external_->acknowledge();
        return;
    }
    requested_[vector / 32] &= ~(1u << (vector % 32));
    in_service_[vector / 32] |= 1u << (vector % 32);
}

void LocalApic::post(Message message, std::uint64_t arrival_ticks) {
    const auto later = std::upper_bound(posted_.begin(), posted_.end(), arrival_ticks,
                                        [](std::uint64_t at, const Posted& other) { return at < other.at; });
    posted_.insert(later, {arrival_ticks, message});
}

void LocalApic::arrive(Message message) {
    if (message.delivery == Delivery::fixed) {
        if (spurious_ & lapic::spurious_enable) request(message.vector);
        return;
    }
    if (message.delivery == Delivery::init) reset();
    signals_.push_back(message);
}

std::optional<LocalApic::Message> LocalApic::take_signal() {
    if (signals_.empty()) return std::nullopt;
    const Message first = signals_.front();
    signals_.erase(signals_.begin());
    return first;
}

std::optional<LocalApic::Command> LocalApic::take_command() { return std::exchange(command_, std::nullopt); }

bool LocalApic::is_destination(bool logical, std::uint8_t destination) const {
    if (!logical) return destination == 0xff || destination == id_ >> 24;
    const std::uint8_t mine = std::uint8_t(logical_id_ >> 24);
    if (logical_format_ >> 28 == 0xf) return mine & destination;  // flat: a bit a CPU
    const bool cluster = destination >> 4 == 0xf || destination >> 4 == mine >> 4;
    return cluster && (mine & destination & 0xf);
}

// A write to the low half of the interrupt command register (SDM 3A 11.6.1). Delivery is immediate for the sender.
void LocalApic::command(std::uint32_t low) {
    constexpr std::uint32_t delivery_status = 1u << 12, logical = 1u << 11, level = 1u << 14,
                            level_triggered = 1u << 15;
    constexpr unsigned fixed = 0, init = 5, start_up = 6;
    icr_low_ = low & ~delivery_status;
    const auto destination = std::uint8_t(icr_high_ >> 24);
    const auto shorthand = Shorthand(low >> 18 & 3);
    const unsigned mode = low >> 8 & 7;
    const auto vector = std::uint8_t(low);
    if (mode == init && (low & level_triggered) && !(low & level)) return;  // INIT de-assert: nothing since the P6
    if (mode != fixed && mode != init && mode != start_up) return;
    if (mode == fixed && vector < 16) {
        error_ |= error_illegal_vector_sent;
        return;
    }
    const bool to_itself = shorthand == Shorthand::self || shorthand == Shorthand::all ||
                           (shorthand == Shorthand::none && is_destination(low & logical, destination));
    if (to_itself && mode == fixed && (spurious_ & lapic::spurious_enable)) request(vector);
    if (shorthand == Shorthand::self) return;
    const Delivery delivery = mode == init ? Delivery::init : mode == start_up ? Delivery::start_up : Delivery::fixed;
    command_ = Command{{delivery, vector}, shorthand, (low & logical) != 0, destination};
}

std::uint32_t LocalApic::read(std::uint32_t offset, std::uint64_t now_ticks) {
    advance(now_ticks);
    if (offset % 16) return 0;
    if (offset >= lapic::isr && offset < lapic::isr + 0x80) return in_service_[(offset - lapic::isr) / 16];
    if (offset >= lapic::irr && offset < lapic::irr + 0x80) return requested_[(offset - lapic::irr) / 16];
    switch (offset) {
        case lapic::id:
            return id_;
        case lapic::version:
            return version_register;
        case lapic::tpr:
            return task_priority_;
        case processor_priority_register:
            return processor_priority();
        case logical_destination:
            return logical_id_;
        case destination_format:
            return logical_format_;
        case lapic::spurious:
            return spurious_;
        case lapic::esr:
            return error_;
        case lapic::icr_low:
            return icr_low_;
        case lapic::icr_high:
            return icr_high_;
        case lapic::lvt_timer:
            return lvt_timer_;
        case lapic::lvt_lint0:
            return lvt_lint0_;
        case lapic::lvt_lint1:
            return lvt_lint1_;
        case lapic::lvt_error:
            return lvt_error_;
        case lapic::timer_initial:
            return initial_;
        case lapic::timer_divide:
            return divide_;
        case lapic::timer_current: {
            if (expiry_ticks_ == never || now_ticks >= expiry_ticks_) return 0;
            return std::uint32_t((expiry_ticks_ - now_ticks + count_ticks() - 1) / count_ticks());
        }
        default:
            return 0;
    }
}

void LocalApic::write(std::uint32_t offset, std::uint32_t value, std::uint64_t now_ticks) {
    advance(now_ticks);
    switch (offset) {
        case lapic::id:
            id_ = value & 0xff00'0000;
            return;
        case lapic::tpr:
            task_priority_ = value & 0xff;
            return;
        case lapic::eoi:
            if (const int vector = highest(in_service_); vector >= 0)
                in_service_[vector / 32] &= ~(1u << (vector % 32));
            return;
        case lapic::spurious:
            spurious_ = value & 0x1ff;
            if (!(value & lapic::spurious_enable)) lvt_timer_ |= lapic::lvt_masked;  // SDM 3A 11.4.7.2
            return;
        case lapic::esr:
            error_ = 0;
            return;
        case lapic::icr_high:
            icr_high_ = value;
            return;
        case lapic::icr_low:
            return command(value);
        case logical_destination:
            logical_id_ = value & 0xff00'0000;
            return;
        case destination_format:
            logical_format_ = value | 0x0fff'ffff;
            return;
        case lapic::lvt_timer: {
            const bool same_mode = ((lvt_timer_ ^ value) & timer_mode_mask) == 0;
            lvt_timer_ = value & (0xff | lapic::lvt_masked | timer_mode_mask);
            if (!(spurious_ & lapic::spurious_enable)) lvt_timer_ |= lapic::lvt_masked;
            if (!same_mode) arm(now_ticks);
            return;
        }
        case lapic::lvt_lint0:
            lvt_lint0_ = value;
            return;
        case lapic::lvt_lint1:
            lvt_lint1_ = value;
            return;
        case lapic::lvt_error:
            lvt_error_ = value;
            return;
        case lapic::timer_divide:
            divide_ = value & 0xb;
            return;
        case lapic::timer_initial:
            initial_ = value;
            arm(now_ticks);
            return;
        default:
            return;
    }
}

}  // namespace sim
