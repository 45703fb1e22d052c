#include "frontends/cli/image_check.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace gemel::cli {
namespace {

class ImageCheck : public testing::Test {
protected:
    ImageCheck()
    {
        char name[] = "/tmp/gemel-image-check-XXXXXX";
        folder_ = ::mkdtemp(name);
    }
    ~ImageCheck() override { std::filesystem::remove_all(folder_); }

    std::string file(std::string const& content)
    {
        auto const path = folder_ + "/image";
        std::ofstream { path, std::ios::binary } << content;
        return path;
    }
    std::string message(std::string const& path)
    {
        return refuse_image(path, Access::read_only).value_or("accepted");
    }

    std::string folder_;
};

TEST_F(ImageCheck, NamesADirectoryAndAMissingFile)
{
    EXPECT_NE(message(folder_).find("is a directory"), std::string::npos);
    EXPECT_NE(message(folder_ + "/none").find("No such file"), std::string::npos);
}

TEST_F(ImageCheck, NamesWhatIsNotExt)
{
    EXPECT_NE(message(file("")).find("is empty"), std::string::npos);
    EXPECT_NE(message(file("XFSB" + std::string(70000, '\0'))).find("XFS"), std::string::npos);
    EXPECT_NE(message(file(std::string(70000, 'x'))).find("not an ext4"), std::string::npos);
}

// Goal: an image cut short is refused before the system starts, a whole one is accepted.
// Method: mkfs.ext4, then the same file with half its bytes.
TEST_F(ImageCheck, RefusesATruncatedImage)
{
    auto const path = folder_ + "/disk";
    auto const command = "PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q " + path + " 8M >/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(message(path), "accepted");
    std::filesystem::resize_file(path, 4 << 20);
    EXPECT_NE(message(path).find("is truncated"), std::string::npos);
}

} // namespace
} // namespace gemel::cli
