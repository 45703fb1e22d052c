// Fuzz target: any bytes as an image. Whatever they are, each call ends with a result or an error
// and reads nothing outside the image.
#include "tests/fuzz/ext4_image_fuzz.hpp"

#include "servers/ext4/check/repair.hpp"
#include "servers/ext4/volume.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

namespace gemel::ext4 {

namespace {

constexpr usize entries_max = 300; // visited in one run
constexpr usize depth_max = 8;
constexpr usize read_bytes = 20000;
constexpr u64 device_reads_max = 200'000; // by one mount: a hundred times what a sound image takes

class MemoryBlockReader final : public BlockReader {
public:
    explicit MemoryBlockReader(std::span<u8 const> image)
        : image_(image)
    {
    }
    Result<void> read(u64 byte_offset, std::span<u8> target) override
    {
        if (byte_offset > image_.size() || target.size() > image_.size() - byte_offset) {
            std::fprintf(stderr, "read outside the image\n");
            std::abort();
        }
        if (++reads_ > device_reads_max) {
            std::fprintf(stderr, "reads without an end\n");
            std::abort();
        }
        std::memcpy(target.data(), image_.data() + byte_offset, target.size());
        return {};
    }
    u64 size_bytes() const override { return image_.size(); }

private:
    std::span<u8 const> image_;
    u64 reads_ = 0;
};

// A copy that a repair may write to.
class MemoryBlockDevice final : public BlockDevice {
public:
    explicit MemoryBlockDevice(std::span<u8 const> image)
        : image_(image.begin(), image.end())
        , reader_(image_)
    {
    }
    Result<void> read(u64 byte_offset, std::span<u8> target) override
    {
        return reader_.read(byte_offset, target);
    }
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override
    {
        if (byte_offset > image_.size() || source.size() > image_.size() - byte_offset) {
            std::fprintf(stderr, "write outside the image\n");
            std::abort();
        }
        std::memcpy(image_.data() + byte_offset, source.data(), source.size());
        return {};
    }
    Result<void> flush() override { return {}; }
    u64 size_bytes() const override { return image_.size(); }
    std::vector<u8> take() { return std::move(image_); }

private:
    std::vector<u8> image_;
    MemoryBlockReader reader_;
};

class IgnoredErrors final : public ErrorSink {
public:
    void report(std::string_view) override { }
};

// Everything a client could ask for, within bounds.
class Walk {
public:
    explicit Walk(Volume& volume)
        : volume_(volume)
    {
    }

    void visit(u32 number, usize depth)
    {
        auto const inode = volume_.inode(number);
        if (!inode)
            return;
        extended(*inode);
        if (inode->is_directory() && depth < depth_max)
            list(*inode, depth);
        else if (auto const link = volume_.read_link(*inode))
            (void)volume_.walk(*inode, *link);
        else
            read(*inode);
    }

private:
    void list(Inode const& directory, usize depth)
    {
        auto cursor = volume_.list(directory, 0);
        while (cursor && visited_ < entries_max) {
            ++visited_;
            auto const entry = cursor->next();
            if (!entry)
                continue;
            if (!entry->has_value())
                break;
            std::string const name((*entry)->name);
            auto const number = (*entry)->inode;
            (void)volume_.lookup(directory, name);
            (void)volume_.lookup(directory, name + "x");
            if (name != "." && name != "..")
                visit(number, depth + 1);
        }
    }

    void extended(Inode const& inode)
    {
        auto names = volume_.list_extended(inode);
        for (usize end = 0; names && (end = names->find('\0')) != std::string::npos;
             names->erase(0, end + 1))
            (void)volume_.get_extended(inode, names->substr(0, end));
        (void)volume_.get_extended(inode, "system.posix_acl_access");
    }

    void read(Inode const& file)
    {
        u64 const offsets[] { 0, file.size_bytes / 2, file.size_bytes - read_bytes,
            file.size_bytes };
        for (auto const offset : offsets)
            (void)volume_.read(file, offset, buffer_);
    }

    Volume& volume_;
    usize visited_ = 0;
    std::array<u8, read_bytes> buffer_;
};

WriteOptions options()
{
    return { .now_ns = [] { return i64 { 1'800'000'000'000'000'000 }; }, .wait_ns = [](i64) {} };
}

// Changes of every kind to what a mounted volume shows, until one meets the damage.
class Changes {
public:
    explicit Changes(Volume& volume)
        : volume_(volume)
        , writer_(*volume.writer())
    {
    }

    void visit(u32 number, usize depth)
    {
        auto const inode = volume_.inode(number);
        if (!inode || visited_ > changed_max)
            return;
        (void)writer_.set_extended(number, "user.fuzz", bytes(), AttributeMode::set);
        (void)writer_.set_extended(number, "user.most", buffer_, AttributeMode::set);
        (void)writer_.remove_extended(number, "user.large");
        if (!inode->is_directory())
            return change_file(*inode);
        auto const before = children(*inode);
        names(number);
        for (auto const& [child, name] : before) {
            if (depth < depth_max)
                visit(child, depth + 1);
            if (child % 3 == 0)
                (void)writer_.remove({ number, name }, Removal::file);
        }
        (void)writer_.rename({ number, "fuzz file" }, { number, "fuzzed" }, RenameWay::replace);
        (void)writer_.remove({ number, "fuzzed" }, Removal::file);
    }

private:
    static constexpr usize changed_max = 100;
    static constexpr usize of_one_directory_max = 24;

    Bytes bytes() const { return Bytes(buffer_).first(37); }

    void names(u32 directory)
    {
        (void)writer_.create({ directory, "fuzz file" }, { .mode = 0100644 });
        auto const inner = writer_.create({ directory, "fuzz folder" }, { .mode = 040755 });
        for (u32 each = 0; inner && each < 9; ++each) {
            auto const name = "a name of some length " + std::to_string(each);
            (void)writer_.create({ *inner, name }, { .mode = 0100644 });
            (void)writer_.create({ directory, name }, { .mode = 0100644 });
        }
    }

    std::vector<std::pair<u32, std::string>> children(Inode const& directory)
    {
        std::vector<std::pair<u32, std::string>> found;
        auto cursor = volume_.list(directory, 0);
        while (cursor && found.size() < of_one_directory_max && ++visited_ < changed_max) {
            auto const entry = cursor->next();
            if (!entry || !entry->has_value())
                break;
            if ((*entry)->name != "." && (*entry)->name != "..")
                found.emplace_back((*entry)->inode, (*entry)->name);
        }
        return found;
    }

    void change_file(Inode const& inode)
    {
        auto const size = inode.size_bytes;
        (void)writer_.write(inode.number, size, bytes());
        (void)writer_.write(inode.number, size / 2, buffer_);
        (void)writer_.allocate(inode.number, size / 3, 5'000, Allocation::punch);
        (void)writer_.resize(inode.number, size / 2);
        (void)writer_.resize(inode.number, size / 2 + 50);
    }

    Volume& volume_;
    VolumeWriter& writer_;
    usize visited_ = 0;
    std::array<u8, 3'000> buffer_ {};
};

// A repair ends, and what it calls clean stays so.
void repair(std::span<u8 const> image)
{
    MemoryBlockDevice device(image);
    MountReport report;
    auto const done = repair_volume(device, report, options());
    if (!done || !done->after.findings.empty())
        return;
    auto const again = examine_volume(device, report, Totals::always);
    if (!again || !again->findings.empty()) {
        std::fprintf(stderr, "a repaired volume is not clean\n");
        std::abort();
    }
}

} // namespace

std::vector<u8> written_image(Bytes image)
{
    MemoryBlockDevice device(image);
    IgnoredErrors errors;
    MountReport report;
    {
        auto volume = Volume::mount_writable(device, errors, report, options());
        if (!volume || !volume->writer())
            return {};
        Changes(*volume).visit(root_inode, 0);
        (void)volume->writer()->unmount();
    }
    return device.take();
}

} // namespace gemel::ext4

extern "C" int LLVMFuzzerTestOneInput(gemel::u8 const* data, gemel::usize size)
{
    using namespace gemel::ext4;
    MemoryBlockReader device({ data, size });
    IgnoredErrors errors;
    MountReport report;
    auto volume = Volume::mount(device, errors, report);
    if (!volume) {
        if (report.refusal.empty())
            std::abort();
        return 0;
    }
    repair({ data, size });
    (void)written_image({ data, size });
    Walk(*volume).visit(root_inode, 0);
    (void)volume->statistics();
    return 0;
}
