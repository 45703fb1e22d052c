// Own<T>: unique. Ref<T>: shared and never null. The count is atomic on every face (the C++
// library's shared_ptr drops that when it believes the process has one thread).
#pragma once

#include "core/base/assert.hpp"
#include "core/base/types.hpp"

#include <atomic>
#include <concepts>
#include <memory>
#include <utility>

namespace gemel {

template <typename T>
using Own = std::unique_ptr<T>;

namespace detail {

struct Shared {
    std::atomic<u32> count { 1 };
    Shared() = default;
    Shared(Shared const&) = delete;
    virtual ~Shared() = default;
};

template <typename T>
struct SharedValue final : Shared {
    T value;
    template <typename... Arguments>
    explicit SharedValue(Arguments&&... arguments)
        : value(std::forward<Arguments>(arguments)...)
    {
    }
};

template <typename T>
struct SharedOwn final : Shared {
    Own<T> value;
    explicit SharedOwn(Own<T> own)
        : value(std::move(own))
    {
    }
};

} // namespace detail

template <typename T>
class Ref {
public:
    // Takes an object that exists; must not be null.
    Ref(Own<T> own)
        : object_(own.get())
        , shared_(new detail::SharedOwn<T>(std::move(own)))
    {
        ASSERT(object_);
    }
    Ref(Ref const& other) noexcept
        : Ref(other.object_, other.shared_)
    {
    }
    template <typename U>
    requires std::convertible_to<U*, T*> Ref(Ref<U> const& other)
    noexcept
        : Ref(other.object_, other.shared_)
    {
    }
    Ref& operator=(Ref other) noexcept
    {
        std::swap(object_, other.object_);
        std::swap(shared_, other.shared_);
        return *this;
    }
    ~Ref()
    {
        if (shared_->count.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete shared_;
    }

    template <typename... Arguments>
    static Ref make(Arguments&&... arguments)
    {
        auto* const shared = new detail::SharedValue<T>(std::forward<Arguments>(arguments)...);
        return Ref(&shared->value, shared, nullptr);
    }

    T& operator*() const { return *object_; }
    T* operator->() const { return object_; }
    T* get() const { return object_; }
    friend bool operator==(Ref const& a, Ref const& b) { return a.object_ == b.object_; }

private:
    template <typename>
    friend class Ref;
    Ref(T* object, detail::Shared* shared)
        : object_(object)
        , shared_(shared)
    {
        shared_->count.fetch_add(1, std::memory_order_relaxed);
    }
    Ref(T* object, detail::Shared* shared, std::nullptr_t)
        : object_(object)
        , shared_(shared)
    {
    }

    T* object_;
    detail::Shared* shared_;
};

template <typename T, typename... Arguments>
Ref<T> make_ref(Arguments&&... arguments)
{
    return Ref<T>::make(std::forward<Arguments>(arguments)...);
}

} // namespace gemel
