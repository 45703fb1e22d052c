// The types a message may carry, and how each becomes words, comes back, and is printed.
#pragma once

#include "core/base/result.hpp"
#include "servers/rt/handle.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace gemel {

// A piece of the session's shared region, in bytes. One word on the wire.
struct Span {
    u32 offset = 0;
    u32 length = 0;
    friend bool operator==(Span const&, Span const&) = default;
};

// Text that travels in the message itself: at most Bytes (a multiple of 8), padded with NUL.
template <usize Bytes>
struct Text {
    static_assert(Bytes % 8 == 0 && Bytes > 0 && Bytes <= 48);
    std::array<char, Bytes> bytes {};

    Text() = default;
    // What does not fit is cut off.
    Text(std::string_view text)
    {
        std::copy_n(text.data(), std::min(text.size(), Bytes), bytes.data());
    }
    Text(char const* text)
        : Text(std::string_view(text))
    {
    }
    std::string_view view() const
    {
        auto const end = std::find(bytes.begin(), bytes.end(), '\0');
        return { bytes.data(), static_cast<usize>(end - bytes.begin()) };
    }
    operator std::string_view() const { return view(); }
    friend bool operator==(Text const&, Text const&) = default;
};

void append_decimal(std::string& out, u64 value);
void append_decimal(std::string& out, i64 value);
void append_quoted(std::string& out, std::string_view text);

// How a field travels. `words` is how many message words it takes; capabilities travel apart.
template <typename T>
struct Field;

template <typename T>
requires(std::integral<T> || std::is_enum_v<T>) struct Field<T> {
    static constexpr usize words = 1;
    static void encode(T value, u64* out)
    {
        if constexpr (std::is_enum_v<T>)
            Field<std::underlying_type_t<T>>::encode(
                static_cast<std::underlying_type_t<T>>(value), out);
        else
            *out = static_cast<u64>(static_cast<i64>(value));
    }
    // False: the word does not fit the type.
    static bool decode(u64 const* in, T& value)
    {
        value = static_cast<T>(*in);
        u64 again = 0;
        encode(value, &again);
        return again == *in;
    }
    static void print(std::string& out, T value)
    {
        if constexpr (std::is_enum_v<T>)
            Field<std::underlying_type_t<T>>::print(
                out, static_cast<std::underlying_type_t<T>>(value));
        else if constexpr (std::is_signed_v<T>)
            append_decimal(out, static_cast<i64>(value));
        else
            append_decimal(out, static_cast<u64>(value));
    }
};

template <>
struct Field<Span> {
    static constexpr usize words = 1;
    static void encode(Span span, u64* out) { *out = span.offset | u64 { span.length } << 32; }
    static bool decode(u64 const* in, Span& span)
    {
        span = { static_cast<u32>(*in), static_cast<u32>(*in >> 32) };
        return true;
    }
    static void print(std::string& out, Span span)
    {
        append_decimal(out, u64 { span.offset });
        out += '+';
        append_decimal(out, u64 { span.length });
    }
};

template <usize Bytes>
struct Field<Text<Bytes>> {
    static constexpr usize words = Bytes / 8;
    static void encode(Text<Bytes> const& text, u64* out)
    {
        std::memcpy(out, text.bytes.data(), Bytes);
    }
    static bool decode(u64 const* in, Text<Bytes>& text)
    {
        std::memcpy(text.bytes.data(), in, Bytes);
        return true;
    }
    static void print(std::string& out, Text<Bytes> const& text)
    {
        append_quoted(out, text.view());
    }
};

template <>
struct Field<Handle> {
    static constexpr usize words = 0;
    static void print(std::string& out, Handle const& handle) { out += handle ? "cap" : "none"; }
};

template <typename T>
inline constexpr bool is_capability = std::is_same_v<std::remove_cvref_t<T>, Handle>;

// A string as a template argument.
template <usize N>
struct FixedString {
    char text[N] {};
    consteval FixedString(char const (&from)[N]) { std::copy_n(from, N, text); }
    constexpr std::string_view view() const { return { text, N - 1 }; }
};

// The names of a struct's members, in order. Their number must be right, or it does not compile.
template <FixedString... Names>
struct Fields {
    static constexpr usize count = sizeof...(Names);
    static constexpr std::array<std::string_view, count> names { Names.view()... };
};

// Calls function(member...) on the members of an aggregate.
template <usize Count, typename T, typename Function>
constexpr decltype(auto) with_members(T& value, Function&& function)
{
    static_assert(Count <= 6);
    if constexpr (Count == 0) {
        static_assert(std::is_empty_v<std::remove_const_t<T>>,
            "Fields<> names no member, but there are some");
        return function();
    } else if constexpr (Count == 1) {
        auto& [a] = value;
        return function(a);
    } else if constexpr (Count == 2) {
        auto& [a, b] = value;
        return function(a, b);
    } else if constexpr (Count == 3) {
        auto& [a, b, c] = value;
        return function(a, b, c);
    } else if constexpr (Count == 4) {
        auto& [a, b, c, d] = value;
        return function(a, b, c, d);
    } else if constexpr (Count == 5) {
        auto& [a, b, c, d, e] = value;
        return function(a, b, c, d, e);
    } else {
        auto& [a, b, c, d, e, f] = value;
        return function(a, b, c, d, e, f);
    }
}

} // namespace gemel
