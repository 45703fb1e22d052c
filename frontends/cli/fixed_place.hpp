// A restart point holds addresses of this program's code: whoever makes one, or goes on from one,
// runs where the linker put the program, and its libraries where they always are then.
#pragma once

#include "core/base/types.hpp"

namespace gemel::cli {

// Starts the program anew at that place, with the words that it was started with. Comes back where
// it is there already, and where the host does not let it be: hosted::System::can_be_saved().
void go_to_fixed_place();
// Identifies the program and its libraries, and where they lie.
u64 place_identity();
// The linker's hash of the program.
u64 program_identity();

} // namespace gemel::cli
