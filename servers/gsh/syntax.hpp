// What the parser makes of a script: a tree of plain data. Nothing here knows how it is run.
#pragma once

#include "core/base/types.hpp"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gemel::gsh {

// Both count from 1; a column counts bytes.
struct Position {
    u32 line = 1;
    u32 column = 1;
};

struct Script;

// A piece of a word. Quoted pieces are neither split at blanks nor matched against file names.
struct WordPart {
    enum class Kind : u8 {
        text, // `text` itself
        variable, // the value of the variable `text`; "?", "#", "@", "*", "$" and digits included
        substitution, // what `script` writes, without its last newlines
        arithmetic, // the value of the expression `text`
    };
    enum class Quoting : u8 { none, quoted };

    Kind kind = Kind::text;
    Quoting quoting = Quoting::none;
    std::string text;
    std::shared_ptr<Script const> script;
};

struct Word {
    Position where;
    std::vector<WordPart> parts;
};

struct Redirection {
    enum class Kind : u8 { input, output, append, same_as };

    Kind kind = Kind::input;
    u8 descriptor = 0; // 0 standard input, 1 output, 2 errors
    u8 other = 0; // same_as: whose stream is taken
    Word target;
};

struct Assignment {
    std::string name;
    Word value;
};

struct SimpleCommand {
    std::vector<Assignment> assignments;
    std::vector<Word> words;
};

struct IfCommand {
    // if and elif, in order: the first condition that succeeds has its body run.
    std::vector<std::pair<std::shared_ptr<Script const>, std::shared_ptr<Script const>>> branches;
    std::shared_ptr<Script const> otherwise; // may be null
};

struct LoopCommand {
    enum class Until : u8 { fails, succeeds }; // while, until

    Until until = Until::fails;
    std::shared_ptr<Script const> condition;
    std::shared_ptr<Script const> body;
};

struct ForCommand {
    std::string variable;
    std::vector<Word> words;
    std::shared_ptr<Script const> body;
};

struct GroupCommand {
    std::shared_ptr<Script const> body;
};

struct Command {
    Position where;
    std::variant<SimpleCommand, IfCommand, LoopCommand, ForCommand, GroupCommand> kind;
    std::vector<Redirection> redirections;
};

struct Pipeline {
    enum class Sense : u8 { plain, inverted };
    enum class Connector : u8 { always, if_succeeded, if_failed };
    enum class Timing : u8 { none, report };

    Connector connector = Connector::always; // to the pipeline before it
    Sense sense = Sense::plain;
    Timing timing = Timing::none; // `time`: says how long it took
    std::vector<Command> commands;
};

struct Script {
    std::vector<Pipeline> pipelines;
};

struct SyntaxError {
    // incomplete: more input may still make it right, so an interactive shell asks for it.
    enum class Kind : u8 { wrong, incomplete };

    Kind kind = Kind::wrong;
    Position where;
    std::string what;
};

} // namespace gemel::gsh
