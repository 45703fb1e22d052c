// MC146818 data sheet: an index port and a data port.
#include "servers/clock/chips.hpp"
#include "servers/clock/date.hpp"
#include "servers/rt/broker.hpp"

namespace gemel::clock {

namespace {

constexpr u8 status_a = 0x0A;
constexpr u8 status_b = 0x0B;
constexpr u8 century = 0x32;
constexpr u8 updating = 0x80;
constexpr u32 tries_max = 10'000; // an update takes two milliseconds at most

class Cmos {
public:
    Cmos(PioBroker ports, u32 base)
        : ports_(std::move(ports))
        , base_(base)
    {
    }

    Result<u8> get(u8 index) const
    {
        TRY(ports_.write(base_, 1, index));
        return static_cast<u8>(TRY(ports_.read(base_ + 1, 1)));
    }

    Result<CmosRegisters> all() const
    {
        return CmosRegisters { TRY(get(0)), TRY(get(2)), TRY(get(4)), TRY(get(7)), TRY(get(8)),
            TRY(get(9)), TRY(get(century)), TRY(get(status_b)) };
    }

private:
    PioBroker ports_;
    u32 base_;
};

} // namespace

// Between two updates, and the same twice.
Result<u64> read_cmos(protocol::Device::Window::Reply window)
{
    Cmos const chip(PioBroker(std::move(window.window)), static_cast<u32>(window.base));
    for (u32 tries = 0; tries < tries_max; ++tries) {
        if ((TRY(chip.get(status_a)) & updating) != 0)
            continue;
        auto const first = TRY(chip.all());
        if (TRY(chip.all()) != first)
            continue;
        auto const seconds = seconds_of(date_of(first));
        return seconds ? Result<u64>(*seconds) : Error::corrupt;
    }
    return Error::corrupt;
}

} // namespace gemel::clock
