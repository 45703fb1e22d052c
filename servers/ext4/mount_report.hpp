// What mounting has to say to a person.
#pragma once

#include <string>
#include <vector>

namespace gemel::ext4 {

struct MountReport {
    // Why the volume was refused, with block and feature names; empty when it was mounted.
    std::string refusal;
    // What is odd about a volume that was mounted all the same.
    std::vector<std::string> notes;
};

} // namespace gemel::ext4
