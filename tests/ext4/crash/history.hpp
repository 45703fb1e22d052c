// What a volume was after each step, what was promised of it, and whether a recovered one may be
// what it is.
#pragma once

#include "servers/ext4/volume.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gemel::ext4::test {

struct Node {
    u32 id = 0; // equal for all names of one file
    FileType type = FileType::regular;
    std::shared_ptr<std::vector<u8> const> bytes {}; // of a file, or a link's text
    std::map<std::string, std::vector<u8>> extended {};
    u16 mode = 0;
    Timestamp modified {};
    Timestamp changed {};
};
using Tree = std::map<std::string, Node>; // by path

// The whole of a volume; ids are the numbers of inodes.
Tree read_tree(Volume& volume);

class History {
public:
    // The tree before the first step.
    explicit History(Tree first = {})
        : trees_ { std::move(first) }
    {
    }

    void add(Tree tree, std::string name);
    // Everything up to the last step survives from now on; with Durable::contents not the times of
    // files. Answers the promise's number; 0 is that of nothing.
    u32 promise(Durable what);

    Tree const& last() const { return trees_.back(); }
    usize steps() const { return trees_.size() - 1; }

    // `found` must be the tree of one step since the promise, as a commit at that step leaves it:
    //  - names, types, permissions, sizes, links' texts and extended attributes are that step's;
    //  - each 512 bytes of a file are what that file held there at that step or later; behind an
    //    end that a later step gave it, zeros: they may come before the size;
    //  - the times of each are what they were at some step since times were promised.
    std::optional<std::string> judge(Tree const& found, u32 promise) const;

private:
    struct Promise {
        usize step = 0;
        usize times = 0; // the step since which times hold
    };

    std::optional<std::string> difference(usize step, Tree const& found, usize times) const;
    std::optional<std::string> contents_differ(
        usize step, std::string const& path, Node const& found) const;
    bool sector_is_known(usize step, u32 id, usize offset, std::span<u8 const> bytes) const;
    bool had_times(usize since, u32 id, Node const& found) const;

    std::vector<Tree> trees_; // after each step
    std::vector<std::string> names_; // of the steps
    std::vector<Promise> promises_ { {} };
};

} // namespace gemel::ext4::test
