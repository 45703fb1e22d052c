// Sends a file system requests that make or change something, and compares what the answer tells of
// it with what Stat says.
#pragma once

#include "servers/protocols/directory.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/log.hpp"
#include "servers/rt/region.hpp"

#include <cstring>

namespace gemel::told {

class Asker {
public:
    // `name` is the file system's, for the log. Errors: those of Attach.
    static Result<Asker> create(
        std::string_view name, Client<protocol::Directory> const& root, Log& log);

    // Each counts in tally(), and says in the log what is wrong.
    void make_directory(std::string_view path);
    void make_node(std::string_view path, FileKind kind);
    void make_symlink(std::string_view path, std::string_view text);
    void link(std::string_view from, std::string_view to);
    void set_attributes(std::string_view path, FileAttributes const& attributes);
    // With OpenFlag::create.
    void create(std::string_view path, OpenFlags flags);
    // Has no room for a status: makes the directory and tells nothing.
    void make_directory_without_room(std::string_view path);
    // Opening alone tells nothing.
    void open(std::string_view path);

    void remove(std::string_view path, RemoveKind kind);

    struct Tally {
        u32 told = 0;
        u32 refused = 0; // read_only
        u32 wrong = 0;
    };
    Tally const& tally() const { return tally_; }

private:
    Asker(
        std::string_view name, Client<protocol::Directory> directory, SharedRegion region, Log& log)
        : name_(name)
        , directory_(std::move(directory))
        , region_(std::move(region))
        , log_(log)
    {
    }

    Span put(std::string_view text, u32 offset);
    FileStatus status_in_answer() const;
    void spoil_answer();
    // Sends the request and compares what it tells with what stands at `path`.
    template <typename Request>
    void check(std::string_view what, std::string_view path, Request request);
    void wrong(std::string_view what, std::string_view path, std::string_view why);

    std::string_view name_;
    Client<protocol::Directory> directory_;
    SharedRegion region_;
    Log& log_;
    Tally tally_;
};

} // namespace gemel::told
