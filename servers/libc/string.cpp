// Strings that end with NUL.
#include "core/base/types.hpp"

extern "C" {

gemel::usize strlen(char const* text)
{
    gemel::usize length = 0;
    while (text[length] != 0)
        ++length;
    return length;
}

gemel::usize strnlen(char const* text, gemel::usize limit)
{
    gemel::usize length = 0;
    while (length < limit && text[length] != 0)
        ++length;
    return length;
}

int strncmp(char const* left, char const* right, gemel::usize limit)
{
    for (; limit > 0; --limit, ++left, ++right) {
        if (*left != *right || *left == 0)
            return static_cast<unsigned char>(*left) - static_cast<unsigned char>(*right);
    }
    return 0;
}

int strcmp(char const* left, char const* right)
{
    return strncmp(left, right, ~gemel::usize { 0 });
}

char* strchr(char const* text, int value)
{
    for (;; ++text) {
        if (*text == static_cast<char>(value))
            return const_cast<char*>(text);
        if (*text == 0)
            return nullptr;
    }
}

char* strrchr(char const* text, int value)
{
    char const* found = nullptr;
    for (;; ++text) {
        if (*text == static_cast<char>(value))
            found = text;
        if (*text == 0)
            return const_cast<char*>(found);
    }
}

char* strstr(char const* text, char const* wanted)
{
    auto const length = strlen(wanted);
    for (; *text != 0; ++text) {
        if (strncmp(text, wanted, length) == 0)
            return const_cast<char*>(text);
    }
    return length == 0 ? const_cast<char*>(text) : nullptr;
}

// Out of int's range the digits wrap, as the standard leaves open.
int atoi(char const* text)
{
    while (*text == ' ' || (*text >= '\t' && *text <= '\r'))
        ++text;
    auto const negative = *text == '-';
    if (*text == '-' || *text == '+')
        ++text;
    unsigned value = 0;
    for (; *text >= '0' && *text <= '9'; ++text)
        value = value * 10 + static_cast<unsigned>(*text - '0');
    return static_cast<int>(negative ? 0 - value : value);
}

} // extern "C"
