// What gdb asks, out of a packet's text. A packet may hold anything: then it is no request.
#pragma once

#include "core/base/types.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace gemel::travel {

// Numbers with one letter between them: "addr,length", "type,addr,kind".
struct Numbers {
    static constexpr u32 count_max = 3;
    u64 values[count_max] = {};
    u32 count = 0;
};
Numbers numbers_of(std::string_view text);

// Which thread a request is about (gdb manual, "Packets", thread-id).
struct ThreadWord {
    enum class Which : u8 { all, any, one };
    Which which = Which::any;
    u32 id = 0; // of one
    bool operator==(ThreadWord const&) const = default;
};
std::optional<ThreadWord> thread_of(std::string_view word);

// How to go on.
struct Resume {
    enum class How : u8 { go, step, back, step_back };
    How how = How::go;
    ThreadWord thread; // who steps
    bool operator==(Resume const&) const = default;
};
// Of c, s, C, S, bc, bs and vCont. Of vCont's actions a step counts before all others, since who
// steps is waited for: the others go on meanwhile, as they must.
std::optional<Resume> resume_of(std::string_view packet);

std::string text_of_hexadecimal(std::string_view digits);
std::optional<u64> decimal(std::string_view text);
// Within an attribute of XML.
std::string quoted_for_xml(std::string_view text);

} // namespace gemel::travel
