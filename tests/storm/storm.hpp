// A seeded run of random messages against targets.
#pragma once

#include "tests/storm/random_message.hpp"
#include "tests/storm/target.hpp"

namespace gemel::storm {

struct Tally {
    u64 carried_out = 0; // answered with success
    u64 refused = 0; // answered with an error
    u64 unanswered = 0; // timed out: what waits for the outside
    u64 not_sent = 0; // the kernel refused the message
};

class Storm {
public:
    // Borrows the targets, and a region that `scribble` fills.
    Storm(Targets& targets, SharedRegion const& region, u64 seed)
        : targets_(targets)
        , region_(region)
        , chooser_(seed)
        , operations_(known_operations())
    {
    }

    void run(u64 messages);
    Tally const& tally() const { return tally_; }

private:
    u16 random_operation();
    void add_capabilities(system::Message& message);
    Handle random_capability();
    void send_one();
    void count(Error error);
    void keep_capabilities(std::string_view service, system::Message const& answer);

    Targets& targets_;
    SharedRegion const& region_;
    Chooser chooser_;
    std::vector<u16> operations_;
    Tally tally_;
};

} // namespace gemel::storm
