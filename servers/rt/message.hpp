// Messages on their way: what is encoded but not sent yet, and what came in but is not decoded yet.
// Both own the capabilities inside, so that none is lost on any path.
#pragma once

#include "servers/rt/field.hpp"
#include "servers/rt/system.hpp"

namespace gemel {

// Tag bits 32..34 say which of the capability members are there, when some are not.
inline constexpr unsigned tag_present_shift = 32;

class Outgoing {
public:
    Outgoing() = default;
    Outgoing(Outgoing&& other) noexcept
        : message_(other.message_)
    {
        other.message_.tag = 0;
    }
    Outgoing& operator=(Outgoing&& other) noexcept;
    ~Outgoing() { close(); }

    static Outgoing failed(Error error);

    system::Message const& message() const { return message_; }
    unsigned capabilities() const { return message_.tag >> tag_capabilities_shift & 3; }
    // The kernel took it: the capabilities belong to the receiver.
    void sent() { message_.tag = 0; }

private:
    template <typename, typename, typename>
    friend struct Codec;
    void close();
    system::Message message_;
};

class Incoming {
public:
    Incoming(system::Message const& message)
        : message_(message)
    {
    }
    Incoming(Incoming const&) = delete;
    ~Incoming();

    u64 tag() const { return message_.tag; }
    u16 operation() const { return static_cast<u16>(message_.tag); }
    unsigned capabilities() const { return message_.tag >> tag_capabilities_shift & 3; }
    system::Words const& words() const { return message_.words; }
    // The capability member `member` (0..2) of the declaration; empty when the sender left it out.
    Handle take(unsigned member);

private:
    unsigned present() const;
    system::Message message_;
};

// Encodes and decodes a struct of the kinds in field.hpp. Plain members take words from the first,
// capabilities the last ones.
template <typename T, typename Names, typename = void>
struct Codec {
    static Outgoing encode(u16 operation, T&& value)
    {
        Outgoing out;
        with_members<Names::count>(value, [&](auto&... members) {
            constexpr usize plain = (usize { 0 } + ... + words_of<decltype(members)>());
            constexpr usize handles = (usize { 0 } + ... + handles_of<decltype(members)>());
            static_assert(handles <= message_capabilities_max, "at most three capabilities");
            static_assert(plain + handles <= message_words, "a message has six words");
            usize word = 0;
            unsigned present = 0;
            unsigned member = 0;
            unsigned count = 0;
            u64 carried[3] {};
            [[maybe_unused]] auto const put = [&](auto& field) {
                using F = std::remove_cvref_t<decltype(field)>;
                if constexpr (is_capability<F>) {
                    if (field) {
                        carried[count++] = field.release();
                        present |= 1u << member;
                    }
                    ++member;
                } else {
                    Field<F>::encode(field, &out.message_.words[word]);
                    word += Field<F>::words;
                }
            };
            (put(members), ...);
            for (unsigned i = 0; i < count; ++i)
                out.message_.words[message_words - count + i] = carried[i];
            out.message_.tag = tag_of(operation, count) | u64 { present } << tag_present_shift;
        });
        return out;
    }

    // False: a word does not fit its member, or a capability is one too many.
    static bool decode(Incoming& in, T& value)
    {
        return with_members<Names::count>(value, [&](auto&... members) {
            usize word = 0;
            unsigned member = 0;
            [[maybe_unused]] auto const get = [&](auto& field) {
                using F = std::remove_cvref_t<decltype(field)>;
                if constexpr (is_capability<F>) {
                    field = in.take(member++);
                    return true;
                } else {
                    auto const at = word;
                    word += Field<F>::words;
                    return Field<F>::decode(&in.words()[at], field);
                }
            };
            constexpr usize handles = (usize { 0 } + ... + handles_of<decltype(members)>());
            return in.capabilities() <= handles && (get(members) && ...);
        });
    }

    static void print(std::string& out, T const& value)
    {
        with_members<Names::count>(value, [&](auto const&... members) {
            usize index = 0;
            [[maybe_unused]] auto const put = [&](auto const& field) {
                if (index)
                    out += ", ";
                out += Names::names[index++];
                out += '=';
                Field<std::remove_cvref_t<decltype(field)>>::print(out, field);
            };
            (put(members), ...);
        });
    }

private:
    template <typename F>
    static consteval usize words_of()
    {
        return Field<std::remove_cvref_t<F>>::words;
    }
    template <typename F>
    static consteval usize handles_of()
    {
        return is_capability<F> ? 1 : 0;
    }
};

} // namespace gemel
