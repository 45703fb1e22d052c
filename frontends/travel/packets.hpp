// gdb's remote protocol, its lower half: packets on a pair of descriptors (gdb manual, "Remote
// Protocol", "Overview").
#pragma once

#include "core/base/types.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace gemel::travel {

class Packets {
public:
    static constexpr usize bytes_max = 0x8000; // of a packet; more is thrown away

    Packets(int from, int to)
        : from_(from)
        , to_(to)
    {
    }

    // The next packet's content; null at the end of file. What is damaged is asked for again.
    std::optional<std::string> next();
    void answer(std::string_view content);
    // No acknowledgements from now on.
    void trust() { trusted_ = true; }
    // Whether an interrupt (a byte 0x03) has come, or the other side is gone. Does not wait;
    // packets are kept for next().
    bool interrupt();
    int descriptor() const { return from_; }

    static std::string framed(std::string_view content);

private:
    bool fill(bool wait);
    std::optional<std::string> parsed();
    void send(std::string_view bytes) const;

    int from_;
    int to_;
    bool trusted_ = false;
    bool over_ = false; // end of file
    std::string received_;
};

} // namespace gemel::travel
