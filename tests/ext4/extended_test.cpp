// Extended attributes and access control lists, beside a naive model; e2fsck and debugfs judge.
#include "servers/ext4/access_list.hpp"
#include "servers/ext4/check/check.hpp"
#include "tests/ext4/log_writer.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

using Model = std::map<std::string, std::vector<u8>>;

// The attribute as programs have it: version, then tag, permissions and id of each entry.
std::vector<u8> list_of(std::vector<std::array<u32, 3>> const& entries)
{
    std::vector<u8> bytes(4 + 8 * entries.size());
    store32(bytes, 0, 2);
    auto at = std::span(bytes).subspan(4);
    for (auto const& [tag, permissions, id] : entries) {
        store16(at, 0, static_cast<u16>(tag));
        store16(at, 2, static_cast<u16>(permissions));
        store32(at, 4, id);
        at = at.subspan(8);
    }
    return bytes;
}

constexpr u32 none = ~0u;
std::vector<u8> const wide_list = list_of({ { 1, 7, none }, { 2, 6, 1000 }, { 4, 5, none },
    { 8, 4, 77 }, { 16, 6, none }, { 32, 1, none } });

class ExtendedTest : public testing::TestWithParam<char const*> {
protected:
    void SetUp() override { make_empty_image(image_, GetParam(), "16M"); }

    u32 make(WrittenVolume& written, std::string const& name, u16 mode = 0100644)
    {
        return written.writer().create({ root_inode, name }, { .mode = mode }).value();
    }
    bool has_value_inodes() const
    {
        return std::string_view(GetParam()).find("ea_inode") != std::string_view::npos;
    }
    usize some_bytes()
    {
        if (has_value_inodes() && random_() % 4 == 0)
            return random_() % 4 == 0 ? 65'536 : 6'000;
        return random_() % 3 == 0 ? 700 : 40;
    }
    std::vector<u8> random_value(usize bytes_max)
    {
        std::vector<u8> value(random_() % (bytes_max + 1));
        for (auto& each : value)
            each = static_cast<u8>(random_());
        return value;
    }
    void compare(WrittenVolume& written, u32 number, Model const& model)
    {
        auto const inode = written.volume().inode(number).value();
        std::string names = written.volume().list_extended(inode).value();
        usize count = 0;
        for (auto const each : names)
            count += each == 0;
        EXPECT_EQ(count, model.size());
        for (auto const& [name, value] : model) {
            auto const found = written.volume().get_extended(inode, name);
            ASSERT_TRUE(found) << name;
            EXPECT_EQ(*found, value) << name;
        }
    }
    std::string judged(std::string const& file, std::string const& name)
    {
        return run("debugfs -R " + quoted(fs::path("ea_get -x " + file + " " + name)) + " "
            + quoted(image_) + " 2>/dev/null");
    }

    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
    std::mt19937_64 random_ { test_seed() };
};

// Goal: any sequence of changes leaves what a model leaves, before and after a mount, and e2fsck
// finds nothing. Method: few names in every name space, values that fit the inode, a block,
// neither.
TEST_P(ExtendedTest, RandomChangesAgreeWithAModel)
{
    std::array<std::string, 8> const names { "user.a", "user.bcd", "user." + std::string(200, 'n'),
        "trusted.t", "security.selinux", "user.\xC3\xA4", "user.zz", "security.capability" };
    std::map<u32, Model> models;
    for (int mount = 0; mount < 3; ++mount) {
        WrittenVolume written(image_);
        for (int each = 0; each < 3; ++each) {
            auto const name = std::to_string(mount) + std::to_string(each);
            models[make(written, name, each == 0 ? 040755 : 0100644)];
        }
        for (int step = 0; step < 400; ++step) {
            auto& [number, model] = *std::next(
                models.begin(), static_cast<std::ptrdiff_t>(random_() % models.size()));
            auto const& name = names[random_() % names.size()];
            if (random_() % 4 == 0) {
                auto const done = written.writer().remove_extended(number, name);
                EXPECT_EQ(done.has_value(), model.erase(name) == 1);
                continue;
            }
            auto const value = random_value(some_bytes());
            auto const done
                = written.writer().set_extended(number, name, value, AttributeMode::set);
            if (done)
                model[name] = value;
            else
                EXPECT_EQ(done.error(), Error::no_space);
        }
        for (auto const& [number, model] : models)
            compare(written, number, model);
        auto const victim = written.number(std::to_string(mount) + "2");
        ASSERT_TRUE(
            written.writer().remove({ root_inode, std::to_string(mount) + "2" }, Removal::file));
        EXPECT_EQ(models.erase(victim), 1u);
        ASSERT_TRUE(written.writer().unmount());
        EXPECT_TRUE(written.errors().sentences.empty()) << written.errors().sentences.back();
        expect_clean(image_);
    }
    WrittenVolume written(image_);
    for (auto const& [number, model] : models)
        compare(written, number, model);
}

// Goal: each mistake has its own error, and changes nothing.
TEST_P(ExtendedTest, Errors)
{
    WrittenVolume written(image_);
    auto const file = make(written, "file");
    auto const pipe = make(written, "pipe", 0010644);
    auto const set = [&](u32 number, std::string const& name, usize bytes,
                         AttributeMode mode = AttributeMode::set) {
        auto const done
            = written.writer().set_extended(number, name, std::vector<u8>(bytes, 1), mode);
        return done ? std::optional<Error> {} : done.error();
    };
    EXPECT_EQ(set(file, "user.a", 5, AttributeMode::replace), Error::no_attribute);
    EXPECT_EQ(set(file, "user.a", 5, AttributeMode::create), std::nullopt);
    EXPECT_EQ(set(file, "user.a", 5, AttributeMode::create), Error::exists);
    EXPECT_EQ(set(file, "user.a", 0, AttributeMode::replace), std::nullopt);
    EXPECT_EQ(set(file, "user.b", 40'000),
        has_value_inodes() ? std::nullopt : std::optional(Error::no_space));
    EXPECT_EQ(written.writer().remove_extended(file, "user.b").has_value(), has_value_inodes());
    EXPECT_EQ(set(file, "user.b", 70'000), Error::too_big);
    EXPECT_EQ(set(file, "user.", 1), Error::invalid);
    EXPECT_EQ(set(file, "other.a", 1), Error::unsupported);
    EXPECT_EQ(set(file, "system.data", 1), Error::unsupported);
    EXPECT_EQ(set(pipe, "user.a", 1), Error::no_rights);
    EXPECT_EQ(set(pipe, "trusted.a", 1), std::nullopt);
    EXPECT_EQ(set(file, "system.posix_acl_access", 12), Error::invalid);
    EXPECT_EQ(written.writer().remove_extended(file, "user.b").error(), Error::no_attribute);
    compare(written, file, { { "user.a", {} } });
    ASSERT_TRUE(written.writer().unmount());
    expect_clean(image_);
}

// Goal: lists of access rights are the permissions' superset, on the disk as Linux keeps them.
TEST_P(ExtendedTest, AccessLists)
{
    constexpr std::string_view access = "system.posix_acl_access";
    constexpr std::string_view initial = "system.posix_acl_default";
    WrittenVolume written(image_);
    auto& writer = written.writer();
    auto const file = make(written, "file");
    ASSERT_TRUE(writer.set_extended(file, access, wide_list, AttributeMode::set));
    EXPECT_EQ(written.volume().inode(file)->mode, 0100761);
    compare(written, file, { { std::string(access), wide_list } });
    ASSERT_TRUE(writer.set_attributes(file, { .permissions = 0640 }));
    auto expected = wide_list;
    expected[6] = 6, expected[4 + 4 * 8 + 2] = 4, expected[4 + 5 * 8 + 2] = 0;
    compare(written, file, { { std::string(access), expected } });
    auto const plain = list_of({ { 1, 6, none }, { 4, 4, none }, { 32, 0, none } });
    auto const other = make(written, "other");
    ASSERT_TRUE(writer.set_extended(other, access, plain, AttributeMode::set));
    EXPECT_EQ(written.volume().inode(other)->mode, 0100640);
    compare(written, other, {});
    EXPECT_EQ(writer.set_extended(other, initial, wide_list, AttributeMode::set).error(),
        Error::no_rights);
    auto const folder = make(written, "folder", 040777);
    ASSERT_TRUE(writer.set_extended(folder, initial, wide_list, AttributeMode::set));
    auto const below = writer.create({ folder, "below" }, { .mode = 0100644 }).value();
    auto const child = writer.create({ folder, "child" }, { .mode = 040777 }).value();
    auto const link
        = writer.create({ folder, "link" }, { .mode = 0120777, .link_text = "x" }).value();
    EXPECT_EQ(written.volume().inode(below)->mode, 0100640);
    EXPECT_EQ(written.volume().inode(link)->mode, 0120777);
    expected = wide_list;
    expected[6] = 6, expected[4 + 4 * 8 + 2] = 4, expected[4 + 5 * 8 + 2] = 0;
    compare(written, below, { { std::string(access), expected } });
    compare(written, child,
        { { std::string(access), wide_list }, { std::string(initial), wide_list } });
    ASSERT_TRUE(writer.unmount());
    expect_clean(image_);
    EXPECT_NE(judged("/folder/child", std::string(access))
                  .find("02 00 00 00 01 00 07 00 00 00 00 00 02 00 06 00 e8 03"),
        std::string::npos)
        << judged("/folder/child", std::string(access));
}

// Goal: what debugfs writes is read, and what is written debugfs reads.
TEST_P(ExtendedTest, AgreesWithDebugfs)
{
    {
        WrittenVolume written(image_);
        auto const file = make(written, "file");
        std::vector<u8> const value { 1, 2, 0xFE };
        ASSERT_TRUE(written.writer().set_extended(file, "user.ours", value, AttributeMode::set));
        ASSERT_TRUE(written.writer().set_extended(
            file, "trusted.long", std::vector<u8>(300, 0x11), AttributeMode::set));
        ASSERT_TRUE(written.writer().unmount());
    }
    EXPECT_NE(judged("/file", "user.ours").find("01 02 fe"), std::string::npos);
    EXPECT_NE(judged("/file", "trusted.long").find("11 11 11"), std::string::npos);
    run("debugfs -w -R 'ea_set /file user.theirs hello' " + quoted(image_));
    WrittenVolume written(image_);
    auto const inode = written.volume().inode(written.number("file")).value();
    auto const value = written.volume().get_extended(inode, "user.theirs");
    ASSERT_TRUE(value);
    EXPECT_EQ(std::string(value->begin(), value->end()), "hello");
}

INSTANTIATE_TEST_SUITE_P(Shapes, ExtendedTest,
    testing::Values("-b 1024", "-b 4096", "-b 1024 -I 128",
        "-b 1024 -I 128 -O ^metadata_csum,^64bit", "-b 2048 -I 512 -O ^metadata_csum",
        "-b 1024 -O ea_inode", "-b 4096 -O ea_inode,inline_data",
        "-b 1024 -I 128 -O ea_inode,^metadata_csum,^64bit,^extent"),
    [](auto const& each) { return "Shape" + std::to_string(each.index); });

// Goal: a block that two inodes share is not changed under the other. Method: make them share one.
TEST(ExtendedBlock, SharedBlockIsLeftToTheOther)
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    make_empty_image(image, "-b 1024 -I 128 -O ^metadata_csum,^64bit", "16M");
    std::vector<u8> const value(100, 7);
    u64 block = 0;
    {
        WrittenVolume written(image);
        auto const one
            = written.writer().create({ root_inode, "one" }, { .mode = 0100644 }).value();
        ASSERT_TRUE(written.writer().create({ root_inode, "two" }, { .mode = 0100644 }));
        ASSERT_TRUE(written.writer().set_extended(one, "user.a", value, AttributeMode::set));
        block = written.volume().inode(one)->attribute_block;
        ASSERT_TRUE(written.writer().unmount());
    }
    run("debugfs -w -R 'set_inode_field /two file_acl " + std::to_string(block) + "' "
        + quoted(image));
    run("debugfs -w -R 'set_inode_field /two blocks 2' " + quoted(image));
    std::vector<u8> const two { 2 };
    overwrite(image, block * 1024 + 4, two);
    expect_clean(image);
    {
        WrittenVolume written(image);
        auto const number = written.number("two");
        ASSERT_TRUE(written.writer().set_extended(number, "user.b", value, AttributeMode::set));
        auto const first = written.volume().inode(written.number("one")).value();
        EXPECT_EQ(*written.volume().get_extended(first, "user.a"), value);
        EXPECT_FALSE(written.volume().get_extended(first, "user.b"));
        auto const second = written.volume().inode(number).value();
        EXPECT_NE(second.attribute_block, block);
        EXPECT_EQ(*written.volume().get_extended(second, "user.a"), value);
        ASSERT_TRUE(written.writer().unmount());
    }
    expect_clean(image);
}

// Values in inodes of their own.
class ValueInodes : public testing::Test {
protected:
    void SetUp() override { make_empty_image(image_, "-b 1024 -O ea_inode", "16M"); }

    static std::vector<u8> some_value(usize bytes)
    {
        std::vector<u8> value(bytes);
        for (usize each = 0; each < bytes; ++each)
            value[each] = static_cast<u8>(each * 7 + each / 256);
        return value;
    }
    u64 free_inodes() { return WrittenVolume(image_).volume().statistics().free_inodes; }

    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
};

// Goal: with the file its values go, however many there are. Method: more than one operation lets
// go of, then the counts of before.
TEST_F(ValueInodes, GoWithTheFile)
{
    auto const before = free_inodes();
    {
        WrittenVolume written(image_);
        auto& writer = written.writer();
        auto const file = writer.create({ root_inode, "file" }, { .mode = 0100644 }).value();
        for (int each = 0; each < 20; ++each) {
            ASSERT_TRUE(writer.set_extended(file, "user." + std::to_string(each),
                some_value(3'000 + static_cast<usize>(each)), AttributeMode::set));
        }
        ASSERT_TRUE(writer.unmount());
    }
    expect_clean(image_);
    EXPECT_EQ(free_inodes(), before - 21);
    {
        WrittenVolume written(image_);
        ASSERT_TRUE(written.writer().remove({ root_inode, "file" }, Removal::file));
        ASSERT_TRUE(written.writer().unmount());
        EXPECT_TRUE(written.errors().sentences.empty());
    }
    expect_clean(image_);
    EXPECT_EQ(free_inodes(), before);
}

// Goal: two files whose attributes are in one block have one value between them, until one of them
// changes; then each entry is counted. Method: make them share, as Linux does.
TEST_F(ValueInodes, AreCountedWhenABlockIsShared)
{
    make_empty_image(image_, "-b 1024 -O ea_inode,^metadata_csum", "16M");
    auto const value = some_value(5'000);
    u64 block = 0;
    {
        WrittenVolume written(image_);
        auto& writer = written.writer();
        auto const one = writer.create({ root_inode, "one" }, { .mode = 0100644 }).value();
        ASSERT_TRUE(writer.create({ root_inode, "two" }, { .mode = 0100644 }));
        // The inode's own room is taken, so that the entry goes into the block.
        ASSERT_TRUE(writer.set_extended(one, "user.fill", some_value(60), AttributeMode::set));
        ASSERT_TRUE(writer.set_extended(one, "user.large", value, AttributeMode::set));
        block = written.volume().inode(one)->attribute_block;
        ASSERT_NE(block, 0u);
        ASSERT_TRUE(writer.unmount());
    }
    run("debugfs -w -R 'set_inode_field /two file_acl " + std::to_string(block) + "' "
        + quoted(image_));
    run("debugfs -w -R 'set_inode_field /two blocks 12' " + quoted(image_));
    std::vector<u8> const two_users { 2 };
    overwrite(image_, block * 1024 + 4, two_users);
    expect_clean(image_);
    {
        WrittenVolume written(image_);
        auto const two = written.number("two");
        ASSERT_TRUE(
            written.writer().set_extended(two, "user.b", some_value(300), AttributeMode::set));
        ASSERT_TRUE(written.writer().unmount());
    }
    expect_clean(image_);
    {
        WrittenVolume written(image_);
        auto& writer = written.writer();
        ASSERT_TRUE(writer.remove({ root_inode, "one" }, Removal::file));
        auto const two = written.volume().inode(written.number("two")).value();
        EXPECT_EQ(*written.volume().get_extended(two, "user.large"), value);
        ASSERT_TRUE(writer.remove_extended(two.number, "user.large"));
        ASSERT_TRUE(writer.unmount());
    }
    expect_clean(image_);
}

// Goal: debugfs reads what was written; what it wrote is read, and replaced.
TEST_F(ValueInodes, AgreeWithDebugfs)
{
    auto const value = some_value(1024); // what debugfs takes from a file at once
    write_host_file(folder_.path() / "value", value);
    write_host_file(folder_.path() / "empty", {});
    run("debugfs -w -R 'write " + (folder_.path() / "empty").string() + " file' " + quoted(image_));
    run("debugfs -w -R 'ea_set -f " + (folder_.path() / "value").string() + " file user.large' "
        + quoted(image_));
    run("debugfs -w -R 'set_inode_field /file blocks 2' " + quoted(image_)); // which it forgets
    auto const ours = some_value(9'000);
    {
        WrittenVolume written(image_);
        auto const file = written.volume().inode(written.number("file")).value();
        EXPECT_EQ(written.volume().get_extended(file, "user.large").value(), value);
        ASSERT_TRUE(
            written.writer().set_extended(file.number, "user.large", ours, AttributeMode::replace));
        ASSERT_TRUE(written.writer().unmount());
    }
    expect_clean(image_);
    auto const read = folder_.path() / "read";
    run("debugfs -R 'ea_get -f " + read.string() + " /file user.large' " + quoted(image_));
    EXPECT_TRUE(read_host_file(read) == ours);
}

// Goal: a value that changed behind the hash is not given out, and the check sees it.
TEST_F(ValueInodes, ADamagedValueIsSeen)
{
    auto const value = some_value(5'000);
    {
        WrittenVolume written(image_);
        auto const file
            = written.writer().create({ root_inode, "file" }, { .mode = 0100644 }).value();
        ASSERT_TRUE(written.writer().set_extended(file, "user.a", value, AttributeMode::set));
        ASSERT_TRUE(written.writer().unmount());
    }
    auto bytes = read_host_file(image_);
    auto const found = std::search(bytes.begin(), bytes.end(), value.begin(), value.begin() + 1024);
    ASSERT_NE(found, bytes.end());
    *found ^= 1;
    write_host_file(image_, bytes);
    Mounted mounted(image_);
    auto& volume = *mounted.volume;
    auto const entry = volume.lookup(*volume.inode(root_inode), "file").value();
    EXPECT_EQ(volume.get_extended(*volume.inode(entry.inode), "user.a").error(), Error::corrupt);
    MemoryDevice device(bytes);
    CollectedErrors problems;
    MountReport report;
    auto const summary = check_volume(device, problems, report);
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->problems, 1u);
    EXPECT_NE(problems.sentences.at(0).find("does not fit its hash"), std::string::npos);
}

// Goal: lists that contradict themselves are refused, and none is read outside its bytes.
TEST(AccessListTest, Refusals)
{
    EXPECT_TRUE(AccessList::from_program(wide_list));
    for (usize cut = 1; cut < wide_list.size(); ++cut) {
        auto const part = std::span(wide_list).first(wide_list.size() - cut);
        EXPECT_FALSE(AccessList::from_program(part)) << cut;
    }
    auto const whole = AccessList::from_program(wide_list)->for_disk();
    EXPECT_EQ(AccessList::from_disk(whole)->for_program(), wide_list);
    for (usize cut = 1; cut < whole.size(); ++cut)
        EXPECT_FALSE(AccessList::from_disk(std::span(whole).first(whole.size() - cut))) << cut;
    for (auto const& entries : std::vector<std::vector<std::array<u32, 3>>> {
             { { 1, 7, none }, { 32, 1, none } }, // no group
             { { 4, 7, none }, { 1, 7, none }, { 32, 1, none } }, // out of order
             { { 1, 8, none }, { 4, 7, none }, { 32, 1, none } }, // no such right
             { { 1, 7, none }, { 2, 7, 5 }, { 4, 7, none }, { 32, 1, none } }, // no mask
             { { 1, 7, none }, { 2, 7, 5 }, { 2, 7, 5 }, { 4, 7, none }, { 16, 7, none },
                 { 32, 1, none } }, // one user twice
         })
        EXPECT_FALSE(AccessList::from_program(list_of(entries)));
}

} // namespace

} // namespace gemel::ext4::test
