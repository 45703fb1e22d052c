// Result<T>: a value or an Error. TRY unwraps it or returns the error to the caller.
#pragma once

#include "core/abi/error.hpp"
#include "core/base/assert.hpp"

#include <new>
#include <type_traits>
#include <utility>

namespace gemel {

template <typename T>
class [[nodiscard]] Result {
public:
    using Value = T;

    Result(Error error)
        : error_(error)
        , ok_(false)
    {
    }
    Result(T value)
        : value_(std::move(value))
        , ok_(true)
    {
    }
    Result(Result&& other) noexcept
        : ok_(other.ok_)
    {
        if (ok_)
            ::new (&value_) T(std::move(other.value_));
        else
            error_ = other.error_;
    }
    Result(Result const& other) requires std::is_copy_constructible_v<T> : ok_(other.ok_)
    {
        if (ok_)
            ::new (&value_) T(other.value_);
        else
            error_ = other.error_;
    }
    Result& operator=(Result other) noexcept
    {
        this->~Result();
        return *::new (this) Result(std::move(other));
    }
    ~Result()
    {
        if (ok_)
            value_.~T();
    }

    explicit operator bool() const { return ok_; }
    bool has_value() const { return ok_; }
    Error error() const
    {
        ASSERT(!ok_);
        return error_;
    }
    T& value() &
    {
        ASSERT(ok_);
        return value_;
    }
    T const& value() const&
    {
        ASSERT(ok_);
        return value_;
    }
    T&& value() &&
    {
        ASSERT(ok_);
        return std::move(value_);
    }
    T value_or(T other) &&
    {
        if (ok_)
            return std::move(value_);
        return other;
    }
    T& operator*() & { return value(); }
    T const& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    T const* operator->() const { return &value(); }

private:
    union {
        T value_;
        Error error_;
    };
    bool ok_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using Value = void;

    Result() = default;
    Result(Error error)
        : error_(static_cast<u8>(error))
    {
    }

    explicit operator bool() const { return error_ == 0; }
    bool has_value() const { return error_ == 0; }
    Error error() const
    {
        ASSERT(error_ != 0);
        return static_cast<Error>(error_);
    }
    void value() const { ASSERT(error_ == 0); }

private:
    u8 error_ = 0;
};

} // namespace gemel

#define TRY(expression)                                                                            \
    ({                                                                                             \
        auto try_result_ = (expression);                                                           \
        if (!try_result_) [[unlikely]]                                                             \
            return try_result_.error();                                                            \
        std::move(try_result_).value();                                                            \
    })
