// A process's registers as gdb's remote protocol has them (gdb manual, "Target Descriptions",
// "i386 Features").
#pragma once

#include "frontends/travel/tracee.hpp"

#include <string>

namespace gemel::travel {

// The target description, XML.
std::string target_description();
// All of them in the description's order, hexadecimal.
std::string register_text(Tracee const& process);
std::string hexadecimal(std::span<u8 const> bytes);

} // namespace gemel::travel
