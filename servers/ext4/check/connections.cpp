// Whether everything in use can be reached from the root by as many names as it says.
#include "servers/ext4/check/volume_check.hpp"

#include <algorithm>

namespace gemel::ext4::check {

namespace {

constexpr u32 directory_links_max = 65000;

// Follows parents up to the root, or to a directory that is known to lead there.
void follow_up(VolumeCheck& check, u32 number)
{
    std::vector<Facts*> path;
    auto* at = check.find(number);
    while (at && !at->reached && path.size() <= check.directories.size()) {
        path.push_back(at);
        at = at->parent != 0 ? check.find(at->parent) : nullptr;
    }
    if (!at || !at->reached)
        return;
    for (auto* const each : path)
        each->reached = true;
}

void check_parent(VolumeCheck& check, Facts const& directory)
{
    auto const expected = directory.number == root_inode ? root_inode : directory.parent;
    if (expected != 0 && directory.dot_dot != 0 && directory.dot_dot != expected) {
        check.repairable(Remedy::field, { patch32(directory.dot_dot_place, expected) }, "inode ",
            directory.number, ": its '..' is inode ", directory.dot_dot, ", and inode ", expected,
            " names it");
    }
}

void check_links(VolumeCheck& check, Facts const& facts)
{
    auto names = facts.names;
    bool const countless
        = facts.directory && facts.links == 1 && check.super.has(ReadOnlyCompatible::dir_nlink);
    if (facts.orphan || (countless && names > directory_links_max))
        return;
    // What gets a name yet is counted then.
    if (names == facts.links || !facts.reached)
        return;
    auto const wanted = facts.directory && names > directory_links_max ? 1 : names;
    check.repairable(Remedy::count, { patch16(check.place_of_inode(facts.number) + 0x1A, wanted) },
        "inode ", facts.number, ": it counts ", facts.links, " links and has ", names);
}

// A directory in one that is not reached either comes back with it; in a circle none does.
Remedy remedy_for_lost(VolumeCheck& check, Facts const& lost)
{
    auto const* at = &lost;
    for (usize steps = 0; at && steps <= check.directories.size(); ++steps) {
        if (at->parent == 0)
            return Remedy::reconnect;
        at = check.find(at->parent);
    }
    return Remedy::none;
}

void tell_lost(VolumeCheck& check, Facts const& facts)
{
    check.keep({ sentence("inode ", facts.number, ": it is in use, and no name leads to it"),
        remedy_for_lost(check, facts), {}, facts.parent == 0 ? facts.number : 0 });
}

} // namespace

void check_connections(VolumeCheck& check)
{
    auto* const root = check.find(root_inode);
    if (!root) {
        check.problem("inode ", root_inode, ": the root directory is not in use");
        return;
    }
    root->reached = true;
    // The root has no name, and is its own parent; nothing else may be.
    for (auto const& directory : check.directories)
        follow_up(check, directory.number);
    for (auto const& facts : check.facts) {
        if (facts.directory)
            check_parent(check, facts);
        if (!facts.reached && !facts.orphan)
            tell_lost(check, facts);
        check_links(check, facts);
    }
    for (auto const& [block, attributes] : check.attribute_blocks) {
        if (attributes.users != attributes.users_stated) {
            check.repairable(Remedy::count,
                { patch32(check.place_of_block(block) + 4, attributes.users) }, "block ", block,
                ": attributes that count ", attributes.users_stated, " users and have ",
                attributes.users);
        }
    }
}

} // namespace gemel::ext4::check
