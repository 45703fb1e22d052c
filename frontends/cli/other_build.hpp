// The builds that can do what this one cannot: one whose code counts edges alone can stop a thread
// inside its code, and one by ThreadSanitizer alone sees races between tasks.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gemel::cli {

enum class OtherBuild { edges, races };

// Which one made the journal; null: an ordinary one, or it cannot be read: others say so.
std::optional<OtherBuild> other_build_of(std::string const& journal);

// Whether this program is that build.
bool is_here(OtherBuild build);

// Builds it and goes on there, with the words this program was started with. Returns the exit
// status after a message, when that fails.
int go_on_in(OtherBuild build, std::vector<std::string> words);

} // namespace gemel::cli
