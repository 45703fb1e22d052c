#include "tests/ext4/host.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gemel::ext4::test {

std::string run_up_to(std::string const& command, int status_max, int* ended_with)
{
    // Tools of e2fsprogs live in sbin, which is not on everyone's path.
    auto const whole = "PATH=$PATH:/usr/sbin:/sbin LC_ALL=C; export PATH LC_ALL; (" + command
        + ") 2>&1 </dev/null";
    std::FILE* const pipe = popen(whole.c_str(), "r");
    if (!pipe)
        throw std::runtime_error("cannot run " + command);
    std::string output;
    char part[4096];
    for (usize count; (count = std::fread(part, 1, sizeof part, pipe)) > 0;)
        output.append(part, count);
    auto const status = pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > status_max)
        throw std::runtime_error(command + " failed:\n" + output);
    if (ended_with)
        *ended_with = WEXITSTATUS(status);
    return output;
}

std::string run(std::string const& command)
{
    return run_up_to(command, 0);
}

std::string quoted(fs::path const& path)
{
    return "'" + path.string() + "'";
}

u64 test_seed()
{
    auto const* const text = std::getenv("GEMEL_TEST_SEED");
    return text ? std::strtoull(text, nullptr, 10) : 20240229;
}

TemporaryFolder::TemporaryFolder()
{
    auto name = (fs::temp_directory_path() / "gemel-ext4-XXXXXX").string();
    if (!mkdtemp(name.data()))
        throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
}

TemporaryFolder::~TemporaryFolder()
{
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

namespace {

u64 size_of(int file, fs::path const& image)
{
    struct stat status { };
    if (file < 0 || fstat(file, &status) != 0)
        throw std::runtime_error("cannot open " + image.string());
    return static_cast<u64>(status.st_size);
}

void check_range(u64 size, u64 byte_offset, usize count)
{
    if (byte_offset > size || count > size - byte_offset)
        throw std::logic_error("the volume went outside the device");
}

} // namespace

FileBlockReader::FileBlockReader(fs::path const& image)
    : file_(open(image.c_str(), O_RDONLY | O_CLOEXEC))
    , size_(size_of(file_, image))
{
}

FileBlockReader::~FileBlockReader()
{
    close(file_);
}

Result<void> FileBlockReader::read(u64 byte_offset, std::span<u8> target)
{
    ++reads;
    check_range(size_, byte_offset, target.size());
    auto const count = pread(file_, target.data(), target.size(), static_cast<off_t>(byte_offset));
    if (count != static_cast<ssize_t>(target.size()))
        return Error::io;
    return {};
}

FileBlockDevice::FileBlockDevice(fs::path const& image)
    : file_(open(image.c_str(), O_RDWR | O_CLOEXEC))
    , size_(size_of(file_, image))
{
}

FileBlockDevice::~FileBlockDevice()
{
    close(file_);
}

Result<void> FileBlockDevice::read(u64 byte_offset, std::span<u8> target)
{
    check_range(size_, byte_offset, target.size());
    auto const count = pread(file_, target.data(), target.size(), static_cast<off_t>(byte_offset));
    if (count != static_cast<ssize_t>(target.size()))
        return Error::io;
    return {};
}

Result<void> FileBlockDevice::write(u64 byte_offset, std::span<u8 const> source)
{
    ++writes;
    check_range(size_, byte_offset, source.size());
    auto const count = pwrite(file_, source.data(), source.size(), static_cast<off_t>(byte_offset));
    if (count != static_cast<ssize_t>(source.size()))
        return Error::io;
    return {};
}

Result<void> FileBlockDevice::flush()
{
    ++flushes;
    return {};
}

bool CollectedErrors::mention(std::vector<std::string> const& words) const
{
    return std::any_of(sentences.begin(), sentences.end(), [&](std::string const& sentence) {
        return std::all_of(words.begin(), words.end(),
            [&](auto const& word) { return sentence.find(word) != std::string::npos; });
    });
}

Mounted::Mounted(fs::path const& image)
    : device(image)
    , volume(Volume::mount(device, errors, report))
{
}

std::vector<u8> read_all(Volume& volume, Inode const& inode)
{
    std::vector<u8> contents(inode.size_bytes);
    auto const done = volume.read(inode, 0, contents);
    if (!done || *done != contents.size())
        throw std::runtime_error("cannot read inode " + std::to_string(inode.number));
    return contents;
}

std::vector<u8> read_host_file(fs::path const& path)
{
    std::ifstream file(path, std::ios::binary);
    std::vector<u8> bytes(file ? fs::file_size(path) : 0);
    auto const size = static_cast<std::streamsize>(bytes.size());
    if (!file || !file.read(reinterpret_cast<char*>(bytes.data()), size))
        throw std::runtime_error("cannot read " + path.string());
    return bytes;
}

void write_host_file(fs::path const& path, std::span<u8 const> bytes)
{
    std::ofstream file(path, std::ios::binary);
    file.write(
        reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush())
        throw std::runtime_error("cannot write " + path.string());
}

void overwrite(fs::path const& image, u64 offset, std::span<u8 const> bytes)
{
    std::fstream file(image, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(
        reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush())
        throw std::runtime_error("cannot write " + image.string());
}

void spoil(fs::path const& image, u64 offset)
{
    std::ifstream file(image, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    auto const byte = static_cast<u8>(file.get() ^ 0x55);
    file.close();
    overwrite(image, offset, { &byte, 1 });
}

} // namespace gemel::ext4::test
