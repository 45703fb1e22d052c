// The steps of a seed and what /crash holds after each: a pure function, so that the program that
// made them before a power cut and the one that judges afterwards agree.
#pragma once

#include "servers/protocols/file_status.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gemel::fs_crash {

enum class Op : u8 {
    make_directory,
    create,
    write, // replaces the contents
    overwrite, // a part, in place
    append,
    cut,
    extend,
    rename,
    rename_over,
    rename_directory,
    link,
    symlink,
    unlink,
    remove_directory,
    sync_file,
    sync_data,
    sync_directory,
    sync_all,
    trim, // all that is free
};
inline constexpr u64 ops = 19;

char const* name_of(Op op);
constexpr bool makes_durable(Op op)
{
    return op >= Op::sync_file;
}

struct Step {
    Op op = Op::sync_all;
    std::string path;
    std::string other; // the new name; a symlink's text
    u64 offset = 0; // for cut and extend: the new size
    std::string bytes;
};

struct Node {
    u32 id = 0; // of the file, whatever its names are
    FileKind kind = FileKind::regular;
    std::shared_ptr<std::string const> bytes; // contents, or a symlink's text
};
using Tree = std::map<std::string, Node>; // by path

class Sequence {
public:
    explicit Sequence(u64 seed);

    // Step n, from 1 on, leads from tree n - 1 to tree n. Every step works.
    std::vector<Step> const& steps() const { return steps_; }
    std::vector<Tree> const& trees() const { return trees_; }

private:
    u64 draw(u64 below);
    std::string pick(FileKind kind);
    std::string fresh_name();
    std::string pattern(u64 bytes);
    bool try_contents(Op op);
    bool try_names(Op op);
    void add_random();
    void add_sync();
    void add(Step step, Tree tree);

    u64 state_;
    u32 next_id_ = 1;
    u32 next_pattern_ = 1;
    std::vector<Step> steps_;
    std::vector<Tree> trees_;
};

} // namespace gemel::fs_crash
