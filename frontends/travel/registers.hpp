// A process's registers as gdb's remote protocol has them (gdb manual, "Target Descriptions",
// "i386 Features").
#pragma once

#include "frontends/travel/tracee.hpp"

#include <gemel/hosted/traced.hpp>

#include <string>

namespace gemel::travel {

// The target description, XML.
std::string target_description();
// All of them in the description's order, hexadecimal.
std::string register_text(Tracee const& process);
// Of a thread that is not on the processor; "x" for what nobody saved.
std::string register_text(
    Tracee const& process, hosted::SavedContext const& saved, u64 stack_pointer);
// One of these by its number; empty when there is none.
std::string one_register(std::string const& all, u64 number);
std::string hexadecimal(std::span<u8 const> bytes);

} // namespace gemel::travel
