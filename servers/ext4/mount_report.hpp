// What mounting has to say to a person.
#pragma once

#include "core/base/types.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::ext4 {

// Who waits for something that may take long. Empty functions: nobody.
struct Listener {
    std::function<void(std::string_view)> tell; // a sentence
    std::function<i64()> now_ns; // of any clock that goes forwards
};

struct MountReport {
    // Why the volume was refused, with block and feature names; empty when it was mounted.
    std::string refusal;
    // What is odd about a volume that was mounted all the same.
    std::vector<std::string> notes;
    // Told meanwhile what takes long.
    Listener listener {};
};

// Tells how far a long work is: after a second first, then every five.
class LongWork {
public:
    static constexpr i64 first_ns = 1'000'000'000;
    static constexpr i64 interval_ns = 5'000'000'000;

    // Borrows the listener. Sentences are like "`what`: 3 of `all` blocks".
    LongWork(Listener const& listener, std::string_view what, u64 all);
    void at(u64 done);

private:
    Listener const& listener_;
    std::string_view what_;
    u64 all_;
    i64 due_ns_ = 0;
};

} // namespace gemel::ext4
