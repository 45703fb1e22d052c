// A disk in memory that remembers, in order, what was written and when it was flushed.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "tests/ext4/crash/disk_view.hpp"

#include <string>
#include <vector>

namespace gemel::ext4::test {

// Whole sectors.
struct LoggedWrite {
    u64 offset;
    std::vector<u8> bytes;
};

// The writes between two flushes.
using Epoch = std::vector<LoggedWrite>;

class RecordingDevice final : public BlockDevice {
public:
    // Borrows the image, which is not changed.
    explicit RecordingDevice(DiskView image)
        : view_(std::move(image))
        , epochs_(1)
    {
    }
    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> flush() override;
    // A write of rubbish: a power cut before the next flush may leave what was there.
    Result<void> discard(u64 byte_offset, u64 bytes) override;
    u64 size_bytes() const override { return view_.size(); }

    // From here on, whatever happens, what the subject calls promise `number` holds. It is given in
    // this order: a later one includes those before.
    void promise(u32 number);

    // The next ones do nothing: what a writer that forgets them would leave.
    void forget_flushes(usize count) { forgotten_ = count; }

    // The last one is not flushed.
    std::vector<Epoch> const& epochs() const { return epochs_; }
    // The last promise before the end of the epoch; 0 for none.
    u32 promised(usize epoch) const;
    // What is there now; good as long as this device.
    DiskView const& view() const { return view_; }
    std::vector<u8> image() const { return view_.copy(); }

private:
    struct Promise {
        usize epoch;
        u32 number;
    };

    DiskView view_; // of what was there, and what was written
    std::vector<Epoch> epochs_;
    std::vector<Promise> promises_;
    usize forgotten_ = 0;
};

} // namespace gemel::ext4::test
