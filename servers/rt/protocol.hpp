// How a protocol is declared: plain structs, then the list of them with their numbers and the names
// of their members. Clients, dispatch, tracing and the golden file of numbers come from the list.
#pragma once

#include "servers/rt/message.hpp"

#include <tuple>

namespace gemel {

template <u16 Number, FixedString Name, typename Request, typename RequestFields,
    typename ReplyFields>
struct Message {
    static constexpr u16 number = Number;
    static constexpr std::string_view name = Name.view();
    using RequestType = Request;
    using ReplyType = typename Request::Reply;
    using RequestCodec = Codec<Request, RequestFields>;
    using ReplyCodec = Codec<ReplyType, ReplyFields>;
    static_assert(Number != 0, "0 is the tag of a successful reply");
    static_assert(Number < 0xFF00, "from 0xFF00 tags are the kernel's");
};

template <typename... Messages>
struct MessageList {
    // Calls function.template operator()<M>() for every message until one returns true.
    template <typename Function>
    static constexpr bool any(Function&& function)
    {
        return (function.template operator()<Messages>() || ...);
    }

    template <typename Request>
    static constexpr bool contains
        = (std::is_same_v<Request, typename Messages::RequestType> || ...);

    static consteval bool numbers_are_unique()
    {
        u16 const numbers[] { Messages::number... };
        for (usize i = 0; i < sizeof...(Messages); ++i)
            for (usize j = 0; j < i; ++j)
                if (numbers[i] == numbers[j])
                    return false;
        return true;
    }
    static_assert(numbers_are_unique(), "two messages have one number");

    template <typename Request>
    struct Find {
        template <typename... Left>
        struct In;
        template <typename First, typename... Left>
        struct In<First, Left...>
            : std::conditional_t<std::is_same_v<typename First::RequestType, Request>,
                  std::type_identity<First>, In<Left...>> {
        };
        template <typename Last>
        struct In<Last> : std::type_identity<Last> {
        };
        using type = typename In<Messages...>::type;
    };
};

template <typename P>
concept Protocol = requires
{
    {
        P::name
        } -> std::convertible_to<std::string_view>;
    typename P::Messages;
};

// The declaration line of a request.
template <typename P, typename Request>
requires(P::Messages::template contains<Request>) using MessageFor =
    typename P::Messages::template Find<Request>::type;

} // namespace gemel
