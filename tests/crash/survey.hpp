// What /crash holds now, and whether a power cut between two steps may have left it so.
#pragma once

#include "servers/fskit/client.hpp"
#include "tests/crash/sequence.hpp"

namespace gemel::fs_crash {

// Node::id is the inode's number.
Result<Tree> survey(fskit::Files& files);

// "" when `found` is the tree of one step from `durable` to `begun` (both included), where each
// 512 bytes of a file may be what that file held there at this step or a later one: what a commit
// leads to is there before it. Else what is wrong.
std::string judge(Sequence const& sequence, Tree const& found, usize durable, usize begun);

} // namespace gemel::fs_crash
