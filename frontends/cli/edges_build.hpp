// The build whose code counts edges, which alone can stop a thread inside its code.
#pragma once

#include <string>
#include <vector>

namespace gemel::cli {

// Whether the journal was made by it. False where the journal cannot be read: others say so.
bool is_of_edges_build(std::string const& journal);

// Builds it and goes on there, with the words this program was started with. Returns the exit
// status after a message, when that fails.
int go_on_in_edges_build(std::vector<std::string> words);

} // namespace gemel::cli
