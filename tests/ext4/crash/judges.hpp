// e2fsck as a judge of recovered images: a few at a time, beside the campaign, each on a file in
// memory.
#pragma once

#include "core/base/types.hpp"

#include <deque>
#include <future>
#include <span>
#include <string>
#include <vector>

namespace gemel::ext4::test {

class Judges {
public:
    // One of `every` states is for them to judge.
    explicit Judges(u32 every);
    ~Judges();
    Judges(Judges const&) = delete;
    Judges& operator=(Judges const&) = delete;

    // Whether the next state is one of those.
    bool want_next() { return ++states_ % every_ == 0; }
    // Has it judged; waits while all judges are at work. With `orphans` it must free them first and
    // find nothing else to do.
    void ask(std::string state, std::vector<u8> image, u32 orphans);
    // What is wrong with which state, of all that were asked for and not told yet.
    std::vector<std::string> verdicts();
    u64 asked() const { return asked_; }

private:
    struct Case {
        std::string state;
        std::string file;
        std::future<std::string> verdict; // "" for a sound one
    };
    void end_first();

    u32 every_;
    u64 states_ = 0;
    u64 asked_ = 0;
    std::string folder_;
    std::deque<Case> running_;
    std::vector<std::string> free_files_;
    std::vector<std::string> verdicts_;
};

} // namespace gemel::ext4::test
