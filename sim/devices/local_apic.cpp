// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <bit>
#include <regs/pc.hpp>
#include <sim/devices/local_apic.hpp>
#include <sim/engine.hpp>

namespace sim {

namespace {
namespace lapic = regs::lapic;

constexpr std::uint32_t version_register = 0x0005'0014;  // 6 LVT entries, version 0x14
constexpr std::uint32_t error_illegal_vector = 1u << 6;
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
    const std::uint64_t own = timer_enabled() ? deadline_ticks_ : never;
    return passes_external() ? std::min(own, external_->deadline_ticks()) : own;
}

void LocalApic::advance(std::uint64_t now_ticks) {
    if (external_) external_->advance(now_ticks);
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
            return 0;
        case destination_format:
            return 0xffff'ffff;
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
        case lapic::icr_low: {
            icr_low_ = value & ~(1u << 12);  // delivery is immediate
            const bool self = ((value >> 18) & 3) == 1 || ((value >> 18) & 3) == 2 ||
                              (((value >> 18) & 3) == 0 && icr_high_ >> 24 == id_ >> 24);
            if (self && ((value >> 8) & 7) == 0) request(value & 0xff);  // fixed delivery to this CPU
            return;
        }
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
