// The checks, counted: each has a name of its own, and a name that comes twice is a failure, so
// that nothing is counted twice.
#pragma once

#include "tests/posix/backend.hpp"

#include <set>

namespace gemel::posix {

class Suite {
public:
    Suite(Backend& backend, std::string base)
        : backend(backend)
        , base_(std::move(base))
    {
    }

    // What follows works in a directory of its own, and its checks bear this name.
    void section(std::string const& name);
    std::string at(std::string const& name) const { return directory_ + "/" + name; }

    void same(std::string const& what, Fault found, Fault wanted);
    void same(std::string const& what, u64 found, u64 wanted);
    void same(std::string const& what, std::string const& found, std::string const& wanted);
    void holds(std::string const& what, bool found);
    // Checks that this system has no means for.
    void left_out(usize checks) { left_out_ += checks; }

    // --- short ways, for scenes: what must work, else it is told as a failure of the scene ---
    void must(std::string const& what, Fault fault);
    void file(std::string const& name, std::string const& content = "content", u16 mode = 0644);
    void directory(std::string const& name, u16 mode = 0755);
    // Whatever is there, with all that is below it.
    void clear(std::string const& name);
    FileStatus status(std::string const& name, LastLink last = LastLink::keep);
    std::string content(std::string const& name);
    u64 inode(std::string const& name); // 0: nothing is there
    Fault open_and_close(std::string const& path, OpenFlags flags, u16 mode = 0644);

    usize checked() const { return names_.size() + left_out_; } // with those left out
    // "N passed, M failed, K skipped"; whether nothing failed.
    bool finish();

    Backend& backend;

private:
    void count(
        std::string const& what, bool good, std::string const& found, std::string const& wanted);

    std::string const base_;
    std::string section_;
    std::string directory_;
    std::set<std::string> names_;
    usize passed_ = 0;
    usize failed_ = 0;
    usize left_out_ = 0;
};

FileAttributes mode_change(u16 mode);
FileAttributes owner_change(u32 uid, u32 gid);
FileAttributes time_change(FileTime accessed, FileTime modified);
FileAttributes time_change_now();

// The parts, each in the file of its name.
void check_paths(Suite& suite);
void check_renames(Suite& suite);
void check_opens(Suite& suite);
void check_names(Suite& suite);
void check_sizes(Suite& suite);
void check_spaces(Suite& suite);
void check_times(Suite& suite);
void check_links(Suite& suite);
void check_nameless(Suite& suite);
void check_extended(Suite& suite);
void check_users(Suite& suite);

void check_all(Suite& suite);

} // namespace gemel::posix
