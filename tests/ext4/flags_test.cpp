// Files and directories that chattr has marked +i or +a.
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u16 regular = 0100644;
constexpr u16 folder = 040755;

class Flags : public testing::Test {
protected:
    // "file" and "dir/in" with the flag, "plain" and "home/in" without.
    void make(std::string const& flag)
    {
        written_.reset();
        make_empty_image(image_, "-b 1024", "8M");
        {
            WrittenVolume volume(image_);
            auto& writer = volume.writer();
            for (std::string const name : { "dir", "home" }) {
                auto const made = writer.create({ root_inode, name }, { .mode = folder }).value();
                ASSERT_TRUE(writer.create({ made, "in" }, { .mode = regular }));
            }
            for (std::string const name : { "file", "plain" }) {
                auto const made = writer.create({ root_inode, name }, { .mode = regular }).value();
                ASSERT_EQ(writer.write(made, 0, text_).value(), text_.size());
            }
            ASSERT_TRUE(writer.unmount());
        }
        for (std::string const name : { "file", "dir" }) {
            run("debugfs -w -R 'sif /" + name + " flags " + flag + "' " + quoted(image_)
                + " 2>/dev/null");
        }
        written_.emplace(image_);
        file_ = written_->number("file");
        directory_ = written_->number("dir");
    }
    VolumeWriter& writer() { return written_->writer(); }
    Error rename(NameOf from, NameOf to, RenameWay way = RenameWay::replace)
    {
        return writer().rename(from, to, way).error();
    }
    // What neither flag allows.
    void expect_refusals()
    {
        NameOf const file { root_inode, "file" };
        NameOf const plain { root_inode, "plain" };
        auto const home = written_->number("home");
        EXPECT_EQ(rename(file, { root_inode, "new" }), Error::no_rights);
        EXPECT_EQ(rename(file, { home, "new" }), Error::no_rights);
        EXPECT_EQ(rename(plain, file), Error::no_rights);
        EXPECT_EQ(rename(plain, file, RenameWay::exchange), Error::no_rights);
        EXPECT_EQ(rename(file, plain, RenameWay::exchange), Error::no_rights);
        EXPECT_EQ(rename({ directory_, "in" }, { root_inode, "new" }), Error::no_rights);
        EXPECT_EQ(rename(plain, { directory_, "in" }), Error::no_rights);
        EXPECT_EQ(rename({ root_inode, "dir" }, { root_inode, "new" }), Error::no_rights);
        EXPECT_EQ(writer().remove(file, Removal::file).error(), Error::no_rights);
        EXPECT_EQ(writer().remove({ directory_, "in" }, Removal::file).error(), Error::no_rights);
        EXPECT_EQ(writer().link(file_, { home, "link" }).error(), Error::no_rights);
        for (auto const inode : { file_, directory_ }) {
            EXPECT_EQ(
                writer().set_attributes(inode, { .permissions = 0600 }).error(), Error::no_rights);
            EXPECT_EQ(writer().set_attributes(inode, { .user = 7 }).error(), Error::no_rights);
            EXPECT_EQ(writer().set_attributes(inode, { .modified = Timestamp { 5, 0 } }).error(),
                Error::no_rights);
            EXPECT_EQ(writer().set_extended(inode, "user.x", text_, AttributeMode::set).error(),
                Error::no_rights);
            EXPECT_EQ(writer().remove_extended(inode, "user.x").error(), Error::no_rights);
        }
        EXPECT_EQ(writer().resize(file_, 0).error(), Error::no_rights);
        EXPECT_EQ(writer().resize(file_, 100).error(), Error::no_rights);
        EXPECT_EQ(writer().write(file_, 0, text_).error(), Error::no_rights);
        EXPECT_EQ(writer().allocate(file_, 0, 1024, Allocation::punch).error(), Error::no_rights);
        EXPECT_EQ(written_->contents("file"), text_);
        EXPECT_TRUE(written_->number("dir/in") != 0);
    }
    void expect_clean_end()
    {
        ASSERT_TRUE(writer().unmount());
        written_.reset();
        expect_clean(image_);
    }
    AttributeChanges now_for_both()
    {
        return { .accessed = Timestamp { 9, 0 },
            .modified = Timestamp { 9, 0 },
            .setting = AttributeChanges::Setting::both_times_to_now };
    }

    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
    std::vector<u8> const text_ = std::vector<u8>(10, 'x');
    std::optional<WrittenVolume> written_;
    u32 file_ = 0;
    u32 directory_ = 0;
};

// Goal: what is immutable stays as it is, whatever is asked. Method: every way to change it.
TEST_F(Flags, ImmutableStays)
{
    make("0x80010");
    expect_refusals();
    EXPECT_EQ(writer().write(file_, text_.size(), text_).error(), Error::no_rights);
    EXPECT_EQ(writer().allocate(file_, 0, 4096, Allocation::grow).error(), Error::no_rights);
    EXPECT_EQ(
        writer().create({ directory_, "new" }, { .mode = regular }).error(), Error::no_rights);
    EXPECT_EQ(rename({ root_inode, "plain" }, { directory_, "new" }), Error::no_rights);
    EXPECT_EQ(
        writer().link(written_->number("plain"), { directory_, "new" }).error(), Error::no_rights);
    EXPECT_EQ(writer().set_attributes(file_, now_for_both()).error(), Error::no_rights);
    expect_clean_end();
}

// Goal: what is append-only grows at its end, gets names, and nothing more.
// Method: every way to change it, then the allowed ones.
TEST_F(Flags, AppendOnlyGrows)
{
    make("0x80020");
    expect_refusals();
    EXPECT_EQ(writer().write(file_, text_.size() + 1, text_).error(), Error::no_rights);
    EXPECT_EQ(writer().write(file_, text_.size(), text_).value(), text_.size());
    EXPECT_EQ(written_->contents("file").size(), 2 * text_.size());
    EXPECT_TRUE(writer().allocate(file_, 0, 4096, Allocation::keep_size));
    EXPECT_TRUE(writer().set_attributes(file_, now_for_both()));
    EXPECT_TRUE(writer().create({ directory_, "new" }, { .mode = regular }));
    EXPECT_TRUE(
        writer().rename({ root_inode, "plain" }, { directory_, "plain" }, RenameWay::no_replace));
    EXPECT_TRUE(writer().link(written_->number("dir/plain"), { directory_, "again" }));
    expect_clean_end();
}

} // namespace

} // namespace gemel::ext4::test
