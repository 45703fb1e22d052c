// Every operation at every kind of path that something is wrong with. The table (path_table.cpp)
// has a row for each operation; its columns are the paths below, in their order.
#include "tests/posix/path_table.hpp"

namespace gemel::posix {

namespace {

constexpr usize path_bytes_over = 4096;

// All that the paths lead to.
void make_scene(Suite& suite)
{
    auto& backend = suite.backend;
    suite.directory("s");
    suite.file("s/file");
    suite.directory("s/dir");
    suite.file("s/dir/inner");
    suite.directory("s/empty");
    suite.must("to_file", backend.symlink("file", suite.at("s/to_file")));
    suite.must("to_dir", backend.symlink("dir", suite.at("s/to_dir")));
    suite.must("dangling", backend.symlink("nowhere", suite.at("s/dangling")));
    suite.must("loop", backend.symlink("loop", suite.at("s/loop")));
    suite.must("ring", backend.symlink("ring2", suite.at("s/ring")));
    suite.must("ring2", backend.symlink("ring", suite.at("s/ring2")));
    suite.must("pipe", backend.make_node(suite.at("s/pipe"), FileKind::pipe, 0644, 0));
    suite.file("s/other");
    suite.directory("s/otherdir");
}

std::string full(Suite& suite, std::string_view path)
{
    if (path.empty())
        return {};
    auto whole = suite.at("s/") + std::string(path);
    if (path == "(over 4095 bytes)") {
        whole = suite.at("s");
        while (whole.size() < path_bytes_over)
            whole += "/.";
    } else if (path == "(256 bytes)") {
        whole = suite.at("s/") + std::string(256, 'n');
    } else if (path == "(255 bytes)") {
        whole = suite.at("s/") + std::string(255, 'n');
    } else if (path == "(256 bytes)/x") {
        whole = suite.at("s/") + std::string(256, 'n') + "/x";
    }
    return whole;
}

Fault perform(Suite& suite, PathOperation operation, std::string const& path)
{
    auto& backend = suite.backend;
    auto const open = [&](OpenFlags flags) { return suite.open_and_close(path, flags, 0644); };
    switch (operation) {
    case PathOperation::status:
        return backend.status(path, LastLink::follow).fault;
    case PathOperation::status_of_link:
        return backend.status(path, LastLink::keep).fault;
    case PathOperation::open_to_read:
        return open(static_cast<OpenFlags>(OpenFlag::read));
    case PathOperation::open_to_write:
        return open(static_cast<OpenFlags>(OpenFlag::write));
    case PathOperation::open_to_cut:
        return open(OpenFlag::write | OpenFlag::truncate);
    case PathOperation::open_to_create:
        return open(OpenFlag::write | OpenFlag::create);
    case PathOperation::open_exclusively:
        return open(OpenFlag::write | OpenFlag::create | OpenFlag::exclusive);
    case PathOperation::open_no_link:
        return open(OpenFlag::read | OpenFlag::no_follow);
    case PathOperation::make_directory:
        return backend.make_directory(path, 0755);
    case PathOperation::remove_directory:
        return backend.remove(path, RemoveKind::directory);
    case PathOperation::remove_file:
        return backend.remove(path, RemoveKind::file);
    case PathOperation::rename_away:
        return backend.rename(path, suite.at("s/new"), RenameMode::replace);
    case PathOperation::rename_file_onto:
        return backend.rename(suite.at("s/other"), path, RenameMode::replace);
    case PathOperation::rename_directory_onto:
        return backend.rename(suite.at("s/otherdir"), path, RenameMode::replace);
    case PathOperation::exchange:
        return backend.rename(suite.at("s/other"), path, RenameMode::exchange);
    case PathOperation::link_from:
        return backend.link(path, suite.at("s/new"));
    case PathOperation::link_to:
        return backend.link(suite.at("s/other"), path);
    case PathOperation::symlink:
        return backend.symlink("text", path);
    case PathOperation::read_link:
        return backend.read_link(path).fault;
    case PathOperation::make_pipe:
        return backend.make_node(path, FileKind::pipe, 0644, 0);
    case PathOperation::change_mode:
        return backend.set_attributes(path, mode_change(0700), LastLink::follow);
    case PathOperation::change_owner:
        return backend.set_attributes(path, owner_change(0, 0), LastLink::follow);
    case PathOperation::change_owner_of_link:
        return backend.set_attributes(path, owner_change(0, 0), LastLink::keep);
    case PathOperation::change_times:
        return backend.set_attributes(path, time_change({ 0, 5 }, { 0, 6 }), LastLink::follow);
    case PathOperation::resize:
        return backend.resize(path, 3);
    case PathOperation::list:
        return backend.list(path).fault;
    case PathOperation::set_extended:
        return backend.set_extended(path, "user.a", "b", ExtendedMode::set);
    case PathOperation::get_extended:
        return backend.get_extended(path, "user.absent").fault;
    case PathOperation::list_extended:
        return backend.list_extended(path).fault;
    case PathOperation::remove_extended:
        return backend.remove_extended(path, "user.absent");
    case PathOperation::volume:
        return backend.volume(path).fault;
    }
    return Fault::other;
}

} // namespace

void check_paths(Suite& suite)
{
    suite.section("paths");
    make_scene(suite);
    for (auto const& row : path_table) {
        for (usize column = 0; column < path_count; ++column) {
            auto const path = full(suite, tried_paths[column]);
            auto const found = perform(suite, row.operation, path);
            suite.same(std::string(row.name) + " at '" + std::string(tried_paths[column]) + "'",
                found, row.faults[column]);
            if (found == Fault::none && row.changes) {
                suite.clear("s");
                make_scene(suite);
            }
        }
    }
}

} // namespace gemel::posix
