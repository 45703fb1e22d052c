// What libraries use to complain: everything that is written to a stream goes to debug_print. The
// formats are those that messages need: %s %c %d %i %u %x %p %% with l, z, width and zero padding.
#include "core/base/types.hpp"
#include "servers/rt/system.hpp"

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>

namespace {

// Writes at most `size` characters and counts all of them.
class Output {
public:
    Output(char* buffer, gemel::usize size)
        : buffer_(buffer)
        , size_(size)
    {
    }
    void put(char character)
    {
        if (length_ + 1 < size_)
            buffer_[length_] = character;
        ++length_;
    }
    void put(std::string_view text, gemel::usize width, char pad)
    {
        for (auto missing = text.size(); missing < width; ++missing)
            put(pad);
        for (auto const character : text)
            put(character);
    }
    int finish()
    {
        if (size_ > 0)
            buffer_[std::min(length_, size_ - 1)] = 0;
        return static_cast<int>(length_);
    }

private:
    char* buffer_;
    gemel::usize size_;
    gemel::usize length_ = 0;
};

struct Format {
    char pad = ' ';
    gemel::usize width = 0;
    bool wide = false; // l or z: 64 bits
    char conversion = 0;
};

// `at` is after the percent sign, and afterwards after the conversion.
Format parse(char const*& at)
{
    Format format;
    if (*at == '0')
        format.pad = *at++;
    while (*at >= '0' && *at <= '9')
        format.width = format.width * 10 + static_cast<gemel::usize>(*at++ - '0');
    for (; *at == 'l' || *at == 'z'; ++at)
        format.wide = true;
    format.conversion = *at;
    if (*at != 0)
        ++at;
    return format;
}

std::string_view number(std::span<char> digits, Format const& format, std::va_list& arguments)
{
    auto* const end = digits.data() + digits.size();
    if (format.conversion == 'd' || format.conversion == 'i') {
        long const value = format.wide ? va_arg(arguments, long) : va_arg(arguments, int);
        return { digits.data(), std::to_chars(digits.data(), end, value).ptr };
    }
    bool const wide = format.wide || format.conversion == 'p';
    unsigned long const value
        = wide ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
    int const base = format.conversion == 'u' ? 10 : 16;
    return { digits.data(), std::to_chars(digits.data(), end, value, base).ptr };
}

void convert(Output& output, Format const& format, std::va_list& arguments)
{
    char digits[24];
    switch (format.conversion) {
    case 's': {
        auto const* const text = va_arg(arguments, char const*);
        output.put(text ? text : "(null)", format.width, ' ');
        break;
    }
    case 'c':
        output.put(static_cast<char>(va_arg(arguments, int)));
        break;
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'p':
        output.put(number(digits, format, arguments), format.width, format.pad);
        break;
    case 0:
        break;
    default:
        output.put(format.conversion);
    }
}

} // namespace

extern "C" {

// A stream is only its address: there is one place to write to.
FILE* stdout = nullptr;
FILE* stderr = nullptr;

int vsnprintf(char* buffer, gemel::usize size, char const* format, std::va_list arguments)
{
    Output output(buffer, size);
    std::va_list rest;
    va_copy(rest, arguments);
    while (*format != 0) {
        if (*format != '%') {
            output.put(*format++);
            continue;
        }
        ++format;
        convert(output, parse(format), rest);
    }
    va_end(rest);
    return output.finish();
}

int snprintf(char* buffer, gemel::usize size, char const* format, ...)
{
    std::va_list arguments;
    va_start(arguments, format);
    int const length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

int sprintf(char* buffer, char const* format, ...)
{
    std::va_list arguments;
    va_start(arguments, format);
    int const length = vsnprintf(buffer, 4096, format, arguments);
    va_end(arguments);
    return length;
}

gemel::usize fwrite(void const* data, gemel::usize size, gemel::usize count, FILE*)
{
    gemel::system::debug_print({ static_cast<char const*>(data), size * count });
    return count;
}

int fputs(char const* text, FILE*)
{
    gemel::system::debug_print(text);
    return 0;
}

int fputc(int character, FILE*)
{
    char const text = static_cast<char>(character);
    gemel::system::debug_print({ &text, 1 });
    return character;
}

int fflush(FILE*)
{
    return 0;
}

// Messages are not translated.
char* gettext(char const* text)
{
    return const_cast<char*>(text);
}

char* dgettext(char const*, char const* text)
{
    return const_cast<char*>(text);
}

} // extern "C"
