// SPDX-License-Identifier: MIT
// Result<T>: a value or the Error a caller must answer. No exceptions, no allocation; ignoring one does not compile
// without a warning. Our own bugs are asserted, never returned.
#pragma once
#include <abi/syscall.hpp>
#include <core/assert.hpp>
#include <memory>
#include <type_traits>
#include <utility>

namespace exo {

using abi::Error;

inline constexpr Error no_error{};  // no Error has the value 0

template <typename T = void>
class [[nodiscard]] Result {
    static_assert(!std::is_reference_v<T> && !std::is_same_v<std::remove_cv_t<T>, Error>);

  public:
    using value_type = T;

    constexpr Result(T value) : error_(no_error), value_(std::move(value)) {}
    constexpr Result(Error error) : error_(error), empty_() { EXO_ASSERT(error != no_error); }
    constexpr Result(Result&& other) noexcept : error_(other.error_), empty_() {
        if (ok()) std::construct_at(std::addressof(value_), std::move(other.value_));
    }
    constexpr Result(const Result& other) requires std::is_copy_constructible_v<T> : error_(other.error_), empty_() {
        if (ok()) std::construct_at(std::addressof(value_), other.value_);
    }
    Result& operator=(const Result&) = delete;
    constexpr ~Result() requires std::is_trivially_destructible_v<T>
    = default;
    constexpr ~Result() {
        if (ok()) std::destroy_at(std::addressof(value_));
    }

    constexpr bool ok() const { return error_ == no_error; }
    explicit constexpr operator bool() const { return ok(); }
    constexpr Error error() const {
        EXO_ASSERT(!ok());
        return error_;
    }
    constexpr T& value() & {
        EXO_ASSERT(ok());
        return value_;
    }
    constexpr const T& value() const& {
        EXO_ASSERT(ok());
        return value_;
    }
    constexpr T&& value() && {
        EXO_ASSERT(ok());
        return std::move(value_);
    }
    constexpr T& operator*() & { return value(); }
    constexpr const T& operator*() const& { return value(); }
    constexpr T&& operator*() && { return std::move(*this).value(); }
    constexpr T* operator->() { return std::addressof(value()); }
    constexpr const T* operator->() const { return std::addressof(value()); }
    constexpr T value_or(T other) && { return ok() ? std::move(value_) : std::move(other); }

  private:
    Error error_;
    union {
        T value_;
        char empty_;
    };
};

template <>
class [[nodiscard]] Result<void> {
  public:
    using value_type = void;

    constexpr Result() = default;
    constexpr Result(Error error) : error_(error) { EXO_ASSERT(error != no_error); }
    constexpr bool ok() const { return error_ == no_error; }
    explicit constexpr operator bool() const { return ok(); }
    constexpr Error error() const {
        EXO_ASSERT(!ok());
        return error_;
    }
    constexpr void value() const { EXO_ASSERT(ok()); }

  private:
    Error error_ = no_error;
};

}  // namespace exo

// The value of `...`, or a return of its error from the enclosing function (whose Result may hold another type).
#define EXO_TRY(...)                                               \
    ({                                                             \
        auto exo_try_result_ = (__VA_ARGS__);                      \
        if (!exo_try_result_.ok()) return exo_try_result_.error(); \
        std::move(exo_try_result_).value();                        \
    })
