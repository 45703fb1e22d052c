// A line of text, put together in place.
#pragma once

#include "tests/native/raw.hpp"

namespace gemel {

class Line {
public:
    Line& text(std::string_view words)
    {
        for (auto const character : words)
            if (length_ < sizeof text_ - 1)
                text_[length_++] = character;
        return *this;
    }
    Line& number(u64 value) { return digits(value, 10); }
    Line& hex(u64 value) { return digits(value, 16); }
    void print()
    {
        text_[length_++] = '\n';
        raw::print(std::string_view(text_, length_));
    }

private:
    Line& digits(u64 value, u64 base)
    {
        char reversed[20];
        usize count = 0;
        do {
            reversed[count++] = "0123456789abcdef"[value % base];
            value /= base;
        } while (value != 0);
        while (count > 0)
            text({ &reversed[--count], 1 });
        return *this;
    }

    char text_[256];
    usize length_ = 0;
};

} // namespace gemel
