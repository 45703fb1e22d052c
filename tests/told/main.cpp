// What each file system tells of what it makes, beside what it says when it is asked. The log gets
// a line for each, and one for each difference.
#include "servers/rt/rt.hpp"
#include "tests/told/asker.hpp"

namespace gemel::told {

namespace {

constexpr FileAttributes of_all_kinds { .changes = static_cast<u32>(AttributeChange::mode)
        | static_cast<u32>(AttributeChange::uid) | static_cast<u32>(AttributeChange::gid)
        | static_cast<u32>(AttributeChange::size) | static_cast<u32>(AttributeChange::modified),
    .mode = 04711,
    .uid = 70'000,
    .gid = 80'000,
    .size = 12'345,
    .modified = { 1'234'567'890, 123'456'789 } };
constexpr FileAttributes of_a_link { .changes = static_cast<u32>(AttributeChange::accessed),
    .accessed = { 0, 987'654'321 } };

// A file system that is written.
void make_all(Asker& asker)
{
    asker.make_directory("told");
    asker.make_directory("told/folder");
    asker.create("told/file", static_cast<OpenFlags>(OpenFlag::write));
    asker.set_attributes("told/file", of_all_kinds);
    asker.create("told/file", static_cast<OpenFlags>(OpenFlag::read)); // it is there
    asker.create("told/file", OpenFlag::write | OpenFlag::truncate);
    asker.open("told/file");
    asker.link("told/file", "told/second");
    asker.make_symlink("told/link", "file");
    asker.set_attributes("told/link", of_a_link);
    asker.make_node("told/pipe", FileKind::pipe);
    asker.make_node("told/device", FileKind::character_device);
    asker.make_node("told/empty", FileKind::regular);
    asker.make_directory_without_room("told/quiet");
    for (auto const name :
        { "told/file", "told/second", "told/link", "told/pipe", "told/device", "told/empty" })
        asker.remove(name, RemoveKind::file);
    for (auto const name : { "told/folder", "told/quiet", "told" })
        asker.remove(name, RemoveKind::directory);
}

// One that is not: what is there can be opened as if to be made.
void ask_all(Asker& asker, std::string_view file)
{
    asker.make_directory("told");
    asker.make_symlink("told", "elsewhere");
    asker.make_node("told", FileKind::pipe);
    asker.link(file, "told");
    asker.set_attributes(file, of_all_kinds);
    asker.create("told", static_cast<OpenFlags>(OpenFlag::write));
    asker.create(file, static_cast<OpenFlags>(OpenFlag::read));
    asker.open(file);
}

struct FileSystem {
    std::string_view service;
    std::string_view file; // of one that is not written
};
constexpr FileSystem file_systems[] { { "ext4", {} }, { "tmpfs", {} }, { "devfs", "null" },
    { "procfs", "uptime" }, { "bundlefs", "etc/services.toml" } };

} // namespace

Result<void> server_main(Env& env)
{
    for (auto const& [service, file] : file_systems) {
        auto const root = TRY(env.take<protocol::Directory>(service));
        auto asker = TRY(Asker::create(service, root, env.log()));
        if (file.empty())
            make_all(asker);
        else
            ask_all(asker, file);
        auto const& tally = asker.tally();
        env.log().info(service, ": ", tally.told, " told, ", tally.refused, " refused, ",
            tally.wrong, " wrong");
    }
    return {};
}

} // namespace gemel::told
