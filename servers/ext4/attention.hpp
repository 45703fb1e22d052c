// What the server does by itself, between requests: it answers the syncs that wait, commits when
// that is due, and gives other hosts a sign of life.
#pragma once

#include "servers/ext4/served_volume.hpp"
#include "servers/rt/deadline.hpp"

namespace gemel::ext4 {

class Attention {
public:
    explicit Attention(ServedVolume& served)
        : served_(served)
    {
    }
    // When it wants to be given. Requests that are there are answered before.
    Deadline deadline();
    void give();

private:
    ServedVolume& served_;
    std::optional<i64> due_;
    Deadline deadline_ = Deadline::none();
};

} // namespace gemel::ext4
