// A script's text to its tree. The grammar is the everyday part of the POSIX shell's: lists, pipes,
// redirections, if, while, until, for, { }. What is known and not offered is an error that names
// it.
#pragma once

#include "servers/gsh/lexer.hpp"

namespace gemel::gsh {

// The whole of `source`, which stands at `start` of what errors speak of. Nothing is run when any
// of it is wrong.
Parsed<Script> parse(std::string_view source, Position start = {});

struct Substitution {
    Script script;
    usize length; // bytes up to and with the closing parenthesis; npos: there was none
};

// The inside of `$(`: for the lexer.
Parsed<Substitution> parse_substitution(std::string_view source, Position start, u32 depth);

} // namespace gemel::gsh
