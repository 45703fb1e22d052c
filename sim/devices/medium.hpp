// What a disk keeps its bytes on.
#pragma once

#include "core/base/assert.hpp"

#include <gemel/hosted/image_file.hpp>

#include <functional>

namespace gemel::sim {

class Medium {
public:
    virtual ~Medium() = default;
    // Whole sectors; the device has checked that they are there.
    virtual hosted::FileOutcome read(u64 offset, u8* to, u32 bytes) = 0;
    virtual hosted::FileOutcome write(u64 offset, u8 const* from, u32 bytes) = 0;
    // What was written is safe when this returns.
    virtual hosted::FileOutcome flush() = 0;
    // Nobody needs the bytes: until they are written again they may be anything.
    virtual hosted::FileOutcome discard(u64 offset, u64 bytes) = 0;

    // How long the next request takes; 0: it is done at once.
    virtual u64 delay_ns() { return 0; }
    // Calls `done` that much later. Only a medium that ever answers a delay is asked.
    virtual void later(u64, std::function<void()>) { ASSERT(false); }
};

// An image file of the host.
class ImageMedium final : public Medium {
public:
    // `image` is borrowed; the disk begins at byte `first` of it. It must not become shorter: a
    // write would make it long again, with zeros for what was lost, so a flush says so.
    explicit ImageMedium(int image, u64 first = 0)
        : image_(image)
        , first_(first)
        , image_bytes_(hosted::file_bytes(image))
    {
    }
    hosted::FileOutcome read(u64 offset, u8* to, u32 bytes) override
    {
        return hosted::read_at(image_, to, bytes, first_ + offset);
    }
    hosted::FileOutcome write(u64 offset, u8 const* from, u32 bytes) override
    {
        return hosted::write_at(image_, from, bytes, first_ + offset);
    }
    hosted::FileOutcome flush() override
    {
        if (hosted::file_bytes(image_) < image_bytes_)
            return hosted::FileOutcome::failed;
        return hosted::flush_file(image_);
    }
    hosted::FileOutcome discard(u64 offset, u64 bytes) override
    {
        return hosted::punch_at(image_, bytes, first_ + offset);
    }

private:
    int image_;
    u64 first_;
    u64 image_bytes_; // at first
};

} // namespace gemel::sim
