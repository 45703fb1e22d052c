// The checks of image_check.hpp. Layouts: ext4 wiki, "Super Block".
#include "frontends/cli/image_check.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace gemel::cli {

namespace {

constexpr std::size_t superblock_offset = 1024;
constexpr std::size_t superblock_bytes = 1024;
constexpr std::uint16_t ext_magic = 0xEF53;

// What other images begin with, so that the message can name them.
struct Signature {
    std::size_t offset;
    std::string_view bytes;
    std::string_view name;
};

using namespace std::string_view_literals;

constexpr std::array signatures {
    Signature { 0, "XFSB"sv, "an XFS file system" },
    Signature { 0x10040, "_BHRfS_M"sv, "a btrfs file system" },
    Signature { 0x400, "\x10\x20\xF5\xF2"sv, "an F2FS file system" },
    Signature { 0, "hsqs"sv, "a squashfs image" },
    Signature { 3, "NTFS    "sv, "an NTFS file system" },
    Signature { 82, "FAT32   "sv, "a FAT file system" },
    Signature { 54, "FAT"sv, "a FAT file system" },
    Signature { 0x8001, "CD001"sv, "an ISO 9660 image" },
    Signature { 0, "QFI\xFB"sv, "a qcow2 image (convert it: qemu-img convert -O raw)" },
    Signature { 0, "\x1F\x8B"sv, "a gzip file (unpack it first)" },
    Signature { 0,
        "\xFD"
        "7zXZ"sv,
        "an xz file (unpack it first)" },
    Signature { 0, "\x28\xB5\x2F\xFD"sv, "a zstd file (unpack it first)" },
    Signature { 512, "EFI PART"sv, "a partitioned disk (mount one of them: --partition 1)" },
    Signature { 510, "\x55\xAA"sv, "a partitioned disk (mount one of them: --partition 1)" },
};

class FileDescriptor {
public:
    explicit FileDescriptor(int number)
        : number_(number)
    {
    }
    FileDescriptor(FileDescriptor const&) = delete;
    FileDescriptor& operator=(FileDescriptor const&) = delete;
    ~FileDescriptor()
    {
        if (number_ >= 0)
            ::close(number_);
    }
    int number() const { return number_; }

private:
    int number_;
};

std::vector<std::uint8_t> head_of(int file, std::uint64_t offset)
{
    std::vector<std::uint8_t> head(0x11000);
    auto const got = ::pread(file, head.data(), head.size(), static_cast<off_t>(offset));
    head.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return head;
}

std::uint64_t little_endian(
    std::vector<std::uint8_t> const& bytes, std::size_t offset, unsigned count)
{
    std::uint64_t value = 0;
    for (unsigned index = count; index-- > 0;)
        value = value << 8 | bytes[offset + index];
    return value;
}

std::string_view name_of_other(std::vector<std::uint8_t> const& head)
{
    for (auto const& signature : signatures) {
        auto const end = signature.offset + signature.bytes.size();
        if (end <= head.size()
            && std::memcmp(
                   head.data() + signature.offset, signature.bytes.data(), signature.bytes.size())
                == 0)
            return signature.name;
    }
    return "not an ext4 file system";
}

// The bytes that the superblock says the file system has; 0 if it says nothing sensible.
std::uint64_t bytes_claimed(std::vector<std::uint8_t> const& head)
{
    constexpr std::size_t incompatible_64bit = 0x80;
    auto const block_shift = little_endian(head, superblock_offset + 24, 4);
    if (block_shift > 6)
        return 0;
    auto blocks = little_endian(head, superblock_offset + 4, 4);
    if (little_endian(head, superblock_offset + 96, 4) & incompatible_64bit)
        blocks |= little_endian(head, superblock_offset + 336, 4) << 32;
    return blocks << (10 + block_shift);
}

std::optional<std::string> refuse_content(
    std::string const& path, std::uint64_t bytes, std::vector<std::uint8_t> const& head)
{
    if (bytes == 0)
        return path + " is empty. Make a file system on it: mkfs.ext4 " + path + " 256M";
    if (head.size() < superblock_offset + superblock_bytes
        || little_endian(head, superblock_offset + 56, 2) != ext_magic) {
        return path + " is " + std::string { name_of_other(head) }
        + ". Gemel's disk is an image made by mkfs.ext4.";
    }
    auto const claimed = bytes_claimed(head);
    if (claimed > bytes) {
        return path + " is truncated: its file system has " + std::to_string(claimed)
            + " bytes, the file only " + std::to_string(bytes) + ".";
    }
    return std::nullopt;
}

} // namespace

std::optional<std::string> refuse_image(
    std::string const& path, Access access, ImageWindow window, Content content)
{
    FileDescriptor const file { ::open(
        path.c_str(), (access == Access::read_write ? O_RDWR : O_RDONLY) | O_CLOEXEC) };
    auto const open_error = errno;
    struct stat status { };
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
        return path + " is a directory. Make an image of it: mkfs.ext4 -d " + path
            + " disk.img 256M, then ./gemel run disk.img";
    }
    if (file.number() < 0)
        return path + " cannot be opened: " + std::strerror(open_error) + ".";
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        return path + " is neither a file nor a block device.";
    if (content == Content::ignored)
        return std::nullopt;
    auto const end
        = static_cast<std::uint64_t>(std::max<off_t>(0, ::lseek(file.number(), 0, SEEK_END)));
    if (window.offset > 0 && window.offset >= end)
        return path + " ends before byte " + std::to_string(window.offset) + ".";
    auto const bytes = std::min(window.bytes.value_or(end), end - window.offset);
    return refuse_content(path, bytes, head_of(file.number(), window.offset));
}

} // namespace gemel::cli
