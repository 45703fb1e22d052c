// What the image tests need of the host: commands, temporary folders, image files.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/ext4/volume.hpp"

#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace gemel::ext4::test {

namespace fs = std::filesystem;

// Runs a shell command; a failure is thrown with what it printed. Returns its standard output and
// error together.
std::string run(std::string const& command);

// Exit statuses up to `status_max` are no failure (e2fsck says 1 for "corrected"); which one it
// was.
std::string run_up_to(std::string const& command, int status_max, int* ended_with = nullptr);

std::string quoted(fs::path const& path);

// GEMEL_TEST_SEED, or a fixed number.
u64 test_seed();

class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(TemporaryFolder const&) = delete;
    TemporaryFolder& operator=(TemporaryFolder const&) = delete;

    fs::path path() const { return path_; }

private:
    fs::path path_;
};

// An image file; counts what is read, so that a test can see the cache work.
class FileBlockReader : public BlockReader {
public:
    explicit FileBlockReader(fs::path const& image);
    ~FileBlockReader() override;
    FileBlockReader(FileBlockReader const&) = delete;
    FileBlockReader& operator=(FileBlockReader const&) = delete;

    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    u64 size_bytes() const override { return size_; }

    u64 reads = 0;

private:
    int file_;
    u64 size_;
};

// An image file that may be written.
class FileBlockDevice final : public BlockDevice {
public:
    explicit FileBlockDevice(fs::path const& image);
    ~FileBlockDevice() override;
    FileBlockDevice(FileBlockDevice const&) = delete;
    FileBlockDevice& operator=(FileBlockDevice const&) = delete;

    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> flush() override;
    u64 size_bytes() const override { return size_; }

    u64 writes = 0;
    u64 flushes = 0;

private:
    int file_;
    u64 size_;
};

class CollectedErrors : public ErrorSink {
public:
    void report(std::string_view sentence) override { sentences.emplace_back(sentence); }
    // Whether one sentence holds all the words.
    bool mention(std::vector<std::string> const& words) const;

    std::vector<std::string> sentences;
};

// An image, opened and mounted.
struct Mounted {
    explicit Mounted(fs::path const& image);

    FileBlockReader device;
    CollectedErrors errors;
    MountReport report;
    Result<Volume> volume;
};

std::vector<u8> read_all(Volume& volume, Inode const& inode);
std::vector<u8> read_host_file(fs::path const& path);
void write_host_file(fs::path const& path, std::span<u8 const> bytes);

// Changes one byte of a file to something else.
void spoil(fs::path const& image, u64 offset);
void overwrite(fs::path const& image, u64 offset, std::span<u8 const> bytes);

} // namespace gemel::ext4::test
