// The steps of a seed and what /crash holds after each: a pure function, so that the program that
// made them before a power cut and the one that judges afterwards agree. Either many steps that are
// drawn, or few that are the seed's own, so that a range of seeds has every one of them.
#pragma once

#include "servers/protocols/file_status.hpp"

#include <compare>
#include <map>
#include <memory>
#include <optional>
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

// An operation and what makes it durable; sync: an operation from sync_file on, or none.
struct Slot {
    Op op = Op::make_directory;
    std::optional<Op> sync;
    auto operator<=>(Slot const&) const = default;
};
// How many different slots there are, and sequences of so many slots (1 to slots_max).
inline constexpr u64 slots
    = static_cast<u64>(Op::sync_file) * (ops - static_cast<u64>(Op::sync_file) + 1);
inline constexpr u32 slots_max = 3;
constexpr u64 sequences_of(u32 length)
{
    return length == 0 ? 1 : slots * sequences_of(length - 1);
}
// The slots of a seed. Of as many seeds in a row as there are sequences, no two have the same.
std::vector<Slot> slots_of(u64 seed, u32 length);

class Sequence {
public:
    // Drawn. long: so many that the journal's log is filled more than once, and the power had
    // better stay for a part of them.
    enum class Length : u8 { usual, long_one };
    explicit Sequence(u64 seed, Length length = Length::usual);
    // Those slots, on files and names that the seed draws, in a tree that has what they need.
    Sequence(u64 seed, std::vector<Slot> const& slots);

    // Step n, from 1 on, leads from tree n - 1 to tree n. Every step works.
    std::vector<Step> const& steps() const { return steps_; }
    std::vector<Tree> const& trees() const { return trees_; }
    // How many steps there are until the power may fail. 0: it may from the beginning.
    usize prepared() const { return prepared_; }

private:
    void begin();
    void prepare();
    u64 draw(u64 below);
    std::string pick(FileKind kind);
    std::string fresh_name();
    std::string pattern(u64 bytes);
    std::string beside(std::string const& folder);
    bool try_contents(Op op);
    bool try_names(Op op);
    bool try_any(Op op);
    void add_random();
    void add_sync();
    void add_sync(Op op);
    void add(Step step, Tree tree);

    u64 state_;
    bool is_drawn_ = true;
    usize prepared_ = 0;
    u32 next_id_ = 1;
    u32 next_pattern_ = 1;
    std::vector<Step> steps_;
    std::vector<Tree> trees_;
};

} // namespace gemel::fs_crash
