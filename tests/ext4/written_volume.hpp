// A volume that is written, beside a naive model in memory of what must be in it.
#pragma once

#include "tests/ext4/debugfs.hpp"

#include <map>

namespace gemel::ext4::test {

// Makes an empty image of `size` with mkfs.ext4; `options` are mkfs's own.
void make_empty_image(fs::path const& image, std::string const& options, std::string const& size);

// Adds a GoogleTest failure with e2fsck's words when it finds anything.
void expect_clean(fs::path const& image);

class WrittenVolume {
public:
    explicit WrittenVolume(fs::path const& image);

    Volume& volume() { return *volume_; }
    VolumeWriter& writer() { return *volume_->writer(); }
    u32 number(std::string const& path);
    // The directory that holds the path, and the last name.
    NameOf place(std::string const& path);
    std::vector<u8> contents(std::string const& path);
    MountReport const& report() const { return report_; }
    CollectedErrors& errors() { return errors_; }

private:
    FileBlockDevice device_;
    CollectedErrors errors_;
    MountReport report_;
    i64 now_ns_ = 1'700'000'000'000'000'000;
    Result<Volume> volume_;
    std::string name_;
};

// What the volume must hold, and random steps that change both alike.
class ModelledVolume {
public:
    ModelledVolume(WrittenVolume& written, u64 seed)
        : written_(written)
        , random_(seed)
    {
    }
    void step();
    usize files() const { return files_.size(); }
    // Every file, its bytes, its names, and nothing else.
    void compare();
    // The model goes on beside a new mount of the same image.
    ModelledVolume(WrittenVolume& written, ModelledVolume const& before)
        : written_(written)
        , random_(before.random_)
        , files_(before.files_)
    {
    }

private:
    struct File {
        bool is_directory = false;
        std::string link_text;
        std::shared_ptr<std::vector<u8>> bytes; // shared by hard links
    };
    std::string random_path();
    std::string random_existing(bool directory);
    bool has_children(std::string const& path) const;
    void make(std::string const& path);
    void write(std::string const& path);
    void resize(std::string const& path);
    void allocate(std::string const& path);
    void remove(std::string const& path);
    void rename(std::string const& from, std::string const& to);
    void link(std::string const& from, std::string const& to);

    WrittenVolume& written_;
    std::mt19937_64 random_;
    std::map<std::string, File> files_;
};

} // namespace gemel::ext4::test
