#include "servers/procfs/text.hpp"
#include "servers/procfs/tree.hpp"

#include "servers/fskit/mounts_page.hpp"

#include <gtest/gtest.h>

#include <set>

namespace gemel::procfs {
namespace {

// Two tasks, 3 and 200, three rows, two threads.
class FixedAudit final : public Audit {
public:
    Result<AuditBroker::Row> row(u32 index) override
    {
        if (index >= rows.size())
            return Error::not_found;
        return rows[index];
    }
    Result<AuditBroker::Thread> thread(u32 index) override
    {
        if (index == 7)
            return AuditBroker::Thread { .task = 3,
                .state = 3,
                .priority = 4,
                .name = "main",
                .run_ns = 5'999,
                .waits_on = 77 };
        if (index == 1'023)
            return AuditBroker::Thread { .task = 200, .name = "other" };
        return Error::not_found;
    }
    Result<AuditBroker::Task> task(u32 index) override
    {
        if (ended || (index != 3 && index != 200))
            return Error::not_found;
        return AuditBroker::Task { .pages_left = 10,
            .rows_left = 9,
            .name = index == 3 ? "gsh" : "vfs",
            .threads = 1,
            .pages_quota = 30 };
    }
    Result<AuditBroker::Totals> totals() override
    {
        return AuditBroker::Totals { .pages = 1'000,
            .pages_free = 400,
            .rows = rows.size(),
            .rows_free = 1,
            .threads = 2,
            .tasks = 2,
            .calls = 12 };
    }
    u64 now_ns() override { return 61'049'999'999; }

    std::vector<AuditBroker::Row> rows { {},
        { .owner = 3,
            .type = ObjectType::port,
            .rights = Right::send | Right::call,
            .depth = 1,
            .children = 2,
            .badge = 0xB,
            .object = 42,
            .parent = 9 },
        { .owner = 200, .type = ObjectType::region } };
    bool ended = false;
};

class Proc : public testing::Test {
protected:
    std::string read(std::string_view path)
    {
        auto const met = fskit::walk(tree_, path, LastLink::follow);
        if (!met || !std::get<fskit::Place>(*met).node)
            return "nothing";
        auto const opened = tree_.open(*std::get<fskit::Place>(*met).node);
        if (!opened)
            return "not opened";
        std::string text(4'096, '?');
        auto const bytes = std::as_writable_bytes(std::span(text.data(), text.size()));
        text.resize(tree_.read(*opened, 0, bytes).value());
        EXPECT_EQ(tree_.status(*opened).value().size, text.size());
        tree_.close(*opened);
        return text;
    }

    FixedAudit audit_;
    Tree tree_ { audit_, "1.2.3" };
};

// Goal: the files say what the audit says.
// Method: read each.
TEST_F(Proc, SaysWhatTheAuditSays)
{
    EXPECT_EQ(read("3/name"), "gsh\n");
    EXPECT_EQ(read("3/status"),
        "Name:\tgsh\nTask:\t3\nState:\trunning\nThreads:\t1\nPagesUsed:\t20\nPagesMax:\t30\n"
        "MemUsed:\t80 kB\nRowsLeft:\t9\n");
    EXPECT_EQ(read("3/caps"),
        "ROW     TYPE    BADGE             OBJECT   DEPTH CHILDREN PARENT  RIGHTS\n"
        "1       port    0xb               42       1     2        9       send,call\n");
    EXPECT_EQ(read("3/threads"),
        "THREAD  NAME             STATE           PRIORITY RUN_US     WAITS_ON\n"
        "7       main             receiving       4        5          77\n");
    EXPECT_EQ(read("uptime"), "61.04\n");
    EXPECT_EQ(read("version"), "gemel 1.2.3\n");
    EXPECT_EQ(read("meminfo"),
        "MemTotal:\t4000 kB\nMemFree:\t1600 "
        "kB\nRowsTotal:\t3\nRowsFree:\t1\nThreads:\t2\nTasks:\t2\n"
        "SystemCalls:\t12\n");
}

// Goal: only what is there has a name.
// Method: numbers of no task, other spellings, files of files.
TEST_F(Proc, NamesOnlyWhatIsThere)
{
    for (auto const path : { "4", "0", "03", "+3", "3x", "99999999999", "256", "3/none", "none" })
        EXPECT_EQ(read(path), "nothing") << path;
    EXPECT_EQ(fskit::walk(tree_, "uptime/x", LastLink::follow).error(), Error::not_directory);
    EXPECT_EQ(fskit::walk(tree_, "3/name/x", LastLink::follow).error(), Error::not_directory);
    EXPECT_EQ(tree_.make({ 1, "x" }, {}).error(), Error::read_only);
}

// Goal: a listing in pieces names every file and task once.
// Method: room for one entry at a time.
TEST_F(Proc, ListsInPieces)
{
    std::multiset<std::string> names;
    std::array<std::byte, 40> piece;
    for (u64 cookie = 0;;) {
        EntryWriter writer { piece };
        ASSERT_TRUE(tree_.list(1, cookie, writer));
        if (writer.bytes() == 0)
            break;
        EntryReader reader { std::span(piece).first(writer.bytes()) };
        DirectoryEntry entry;
        std::string_view name;
        ASSERT_TRUE(reader.next(entry, name));
        names.emplace(name);
        cookie = entry.cookie;
    }
    EXPECT_EQ(names,
        (std::multiset<std::string> { "uptime", "meminfo", "mounts", "version", "3", "200" }));
    std::array<std::byte, 400> whole;
    EntryWriter writer { whole };
    ASSERT_TRUE(tree_.list(tree_.find(1, "3").value(), 0, writer));
    EntryReader reader { std::span(whole).first(writer.bytes()) };
    DirectoryEntry entry;
    std::string_view name;
    std::string all;
    while (reader.next(entry, name))
        all += std::string(name) + ' ';
    EXPECT_EQ(all, "status name caps threads ");
}

// Goal: a task that ends takes its directory with it; an opened text stays.
// Method: end it between open and read.
TEST_F(Proc, OpenedTextOutlivesTheTask)
{
    auto const file = std::get<fskit::Place>(*fskit::walk(tree_, "3/name", LastLink::follow)).node;
    auto const opened = tree_.open(*file).value();
    audit_.ended = true;
    EXPECT_EQ(read("3/name"), "nothing");
    EXPECT_EQ(tree_.open(*file).error(), Error::not_found);
    std::array<std::byte, 10> bytes;
    EXPECT_EQ(tree_.read(opened, 0, bytes).value(), 4u);
    tree_.close(opened);
    EXPECT_EQ(tree_.read(opened, 0, bytes).error(), Error::not_found);
}

// Goal: mounts is what the vfs last wrote into its page, whole.
// Method: write twice; text longer than the page.
TEST_F(Proc, ShowsTheMounts)
{
    EXPECT_EQ(read("mounts"), "");
    alignas(64) std::array<std::byte, fskit::mounts_page_bytes> page {};
    EXPECT_EQ(tree_.show_mounts(std::span(page).first(10)).error(), Error::invalid);
    ASSERT_TRUE(tree_.show_mounts(page));
    fskit::write_mounts(page, "ext4 / ext4 ro\n");
    EXPECT_EQ(read("mounts"), "ext4 / ext4 ro\n");
    fskit::write_mounts(page, "x\n");
    EXPECT_EQ(read("mounts"), "x\n");
    fskit::write_mounts(page, std::string(100'000, 'y'));
    EXPECT_EQ(fskit::read_mounts(page).size(), page.size() - sizeof(fskit::MountsHeader));
}

TEST(ProcText, NamesRights)
{
    EXPECT_EQ(text_of_rights(0), "-");
    EXPECT_EQ(text_of_rights(rights_of(Right::grant)), "grant");
    EXPECT_EQ(text_of_rights(Right::send | Right::read), "send,read");
}

} // namespace
} // namespace gemel::procfs
