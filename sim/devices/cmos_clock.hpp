// The clock of a PC (MC146818): two ports, decimal digits, 24 hours. What time it is, the host or
// the simulated world says.
#pragma once

#include <gemel/arch/machine.hpp>

#include <functional>

namespace gemel::sim {

class CmosClock final : public hosted::Device {
public:
    // Since 1970, UTC.
    explicit CmosClock(std::function<i64()> seconds)
        : seconds_(std::move(seconds))
    {
    }

    u32 read(u32 offset, u32 bytes) override;
    void write(u32 offset, u32 bytes, u32 value) override;

    // For a restart point. False: cut off.
    void save(hosted::StateWriter& to) { to(index_); }
    bool load(hosted::StateReader& from) { return from(index_), from.ok(); }

private:
    std::function<i64()> seconds_;
    u8 index_ = 0;
};

} // namespace gemel::sim
