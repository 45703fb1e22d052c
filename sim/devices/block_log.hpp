// What is asked of a disk, a line each: when, what, where, how much, and how it ended.
//   +0.001204000s  read   sector 2 + 8  done
//   +0.002811000s  flush  done
// Sectors of 512 bytes. The same for a live disk and a simulated one, of which the power may fail
// amid a write: such a line ends with it.
#pragma once

#include "sim/devices/medium.hpp"

#include <functional>
#include <string_view>

namespace gemel::sim {

class BlockLog final : public Medium {
public:
    static constexpr u32 sector_bytes = 512;

    using Now = std::function<u64()>;
    using Sink = std::function<void(std::string_view)>;

    // `medium` is borrowed. `now` is asked before each request; `sink` gets parts of lines, in
    // order.
    BlockLog(Medium& medium, Now now, Sink sink);

    hosted::FileOutcome read(u64 offset, u8* to, u32 bytes) override;
    hosted::FileOutcome write(u64 offset, u8 const* from, u32 bytes) override;
    hosted::FileOutcome flush() override;
    hosted::FileOutcome discard(u64 offset, u64 bytes) override;
    u64 delay_ns() override { return medium_.delay_ns(); }
    void later(u64 delay_ns, std::function<void()> done) override
    {
        medium_.later(delay_ns, std::move(done));
    }

    // Ends the line of the request that is under way, which never comes back.
    void power_failed();

private:
    void begin(char const* what);
    void begin(char const* what, u64 offset, u64 bytes);
    hosted::FileOutcome ended(hosted::FileOutcome outcome);

    Medium& medium_;
    Now now_;
    Sink sink_;
};

} // namespace gemel::sim
