// What Tab offers: commands in a command's place, files elsewhere.
#pragma once

#include "servers/gsh/line_editor.hpp"
#include "servers/gsh/world.hpp"

namespace gemel::gsh {

struct CompletionSource {
    World& world;
    std::string directory;
    std::string search; // PATH
    std::vector<std::string> commands; // the shell's own
};

Completion complete_line(CompletionSource const& source, std::string_view before_cursor);

} // namespace gemel::gsh
