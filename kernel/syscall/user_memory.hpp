// SPDX-License-Identifier: MIT
// User memory has a type of its own until it is copied in: a UserPtr cannot be dereferenced.
#pragma once
#include <hal/user.hpp>
#include <lib/result.hpp>
#include <span>

namespace exo {

template <typename T>
class UserPtr {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    explicit constexpr UserPtr(std::uint64_t address) : address_(address) {}
    Result<T> read() const {
        T value;
        EXO_TRY(read_into(std::span(&value, 1)));
        return value;
    }
    Result<> read_into(std::span<T> to) const {
        if (!hal::user_range_ok(address_, to.size_bytes())) return Error::bad_address;
        return hal::user_copy_in(to.data(), address_, to.size_bytes()) == 0 ? Result<>{} : Error::bad_address;
    }
    Result<> write(const T& value) const {
        if (!hal::user_range_ok(address_, sizeof(T))) return Error::bad_address;
        return hal::user_copy_out(address_, &value, sizeof(T)) == 0 ? Result<>{} : Error::bad_address;
    }

  private:
    hal::VirtAddr address_;
};

}  // namespace exo
