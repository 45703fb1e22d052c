// One path on its way to a file, as questions to ask of file systems and answers to them. The walk
// holds no capability: it says which prefix must be looked at next, and its caller asks.
//
// Names are sent to a file system as a whole ("a/b/c" below its root), because most paths hold
// neither "..", nor symlinks, and then one question is all. A file system follows no symlink
// itself: it answers with the link's place and text, since only the vfs knows what is mounted where
// the text leads. What precedes a ".." is looked at first, so that ".." leaves the directory that
// was really reached, not the one whose name stood there.
#pragma once

#include "servers/fskit/path.hpp"
#include "servers/protocols/open_flag.hpp"

namespace gemel::vfs {

inline constexpr u32 symlinks_max = 40; // followed in one walk

class PathWalk {
public:
    // An absolute path. Errors of split_path; not absolute -> invalid.
    static Result<PathWalk> begin(std::string_view path, LastLink last);

    // What to look at next: the first `count` components. If `whole`, this is the file the walk is
    // for; else the prefix must be found to be a directory.
    struct Question {
        usize count;
        bool whole;
    };
    Question next();

    // The text of the first `count` components, "/a/b"; "/" for none.
    std::string text(usize count) const;
    std::vector<std::string> const& components() const { return components_; }

    // Answers. The prefix asked for is a directory: ".." leaves it.
    void prefix_is_directory();
    // Component `index` is a symlink. Over symlinks_max -> symlink_loop; an expanded path over
    // path_bytes_max -> name_too_long; an empty text -> not_found; a NUL in it -> invalid.
    Result<void> symlink(usize index, std::string_view target);

    // The file must be a directory ("a/", "a/.", "a/..").
    bool directory_required() const { return ending_ != fskit::PathEnding::name; }
    fskit::PathEnding ending() const { return ending_; }
    // The path as given ended in "..".
    bool ended_upwards() const { return ended_upwards_; }
    // A symlink in last place is followed.
    bool follows_last() const { return last_ == LastLink::follow || directory_required(); }

private:
    PathWalk(fskit::SplitPath split, LastLink last);

    std::vector<std::string> components_;
    fskit::PathEnding ending_;
    LastLink last_;
    bool ended_upwards_;
    u32 symlinks_ = 0;
};

} // namespace gemel::vfs
