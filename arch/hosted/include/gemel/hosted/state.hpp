// What a machine and its surroundings are beside the machine's memory, as bytes and back: for a
// restart point (sim/record/restart_point.hpp). Words are written as they lie in memory, so that
// only the program that wrote them can read them.
#pragma once

#include "core/base/types.hpp"

#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace gemel::hosted {

// Both are called with everything that belongs to a state, in the same order: who has a state
// lists it once, in a function that takes either.
class StateWriter {
public:
    template <typename Word>
    void operator()(Word const& word)
    {
        static_assert(std::is_trivially_copyable_v<Word> && !std::is_pointer_v<Word>);
        auto const* at = reinterpret_cast<u8 const*>(&word);
        bytes_.insert(bytes_.end(), at, at + sizeof word);
    }
    void operator()(std::string const& text) { block(text.data(), text.size()); }
    // Bytes, with their number.
    void block(void const* from, usize bytes)
    {
        (*this)(u64 { bytes });
        auto const* at = static_cast<u8 const*>(from);
        bytes_.insert(bytes_.end(), at, at + bytes);
    }

    std::span<u8 const> bytes() const { return bytes_; }

private:
    std::vector<u8> bytes_;
};

// What is not there is left as it was, and ok() says so.
class StateReader {
public:
    explicit StateReader(std::span<u8 const> bytes)
        : left_(bytes)
    {
    }
    template <typename Word>
    void operator()(Word& word)
    {
        static_assert(std::is_trivially_copyable_v<Word> && !std::is_pointer_v<Word>);
        auto const from = take(sizeof word);
        if (ok_)
            std::memcpy(&word, from.data(), sizeof word);
    }
    // Whatever byte stands there.
    void operator()(bool& flag)
    {
        u8 byte = flag ? 1 : 0;
        (*this)(byte);
        flag = byte != 0;
    }
    void operator()(std::string& text)
    {
        auto const from = block();
        text.assign(reinterpret_cast<char const*>(from.data()), from.size());
    }
    // Empty when it is not there.
    std::span<u8 const> block()
    {
        u64 bytes = 0;
        (*this)(bytes);
        return take(bytes);
    }

    bool ok() const { return ok_; }
    bool at_end() const { return left_.empty(); }

private:
    std::span<u8 const> take(u64 bytes)
    {
        if (bytes > left_.size()) {
            ok_ = false;
            left_ = {};
            return {};
        }
        auto const taken = left_.first(bytes);
        left_ = left_.subspan(bytes);
        return taken;
    }

    std::span<u8 const> left_;
    bool ok_ = true;
};

} // namespace gemel::hosted
