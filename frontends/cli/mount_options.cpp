#include "frontends/cli/mount_options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <unistd.h>

namespace gemel::cli {

namespace {

// What the host's mount takes from anybody (mount(8), fusermount3(1)).
constexpr std::array<std::string_view, 16> passed_on { "allow_other", "allow_root", "auto_unmount",
    "suid", "nosuid", "dev", "nodev", "exec", "noexec", "atime", "noatime", "sync", "async",
    "dirsync", "nodiratime", "relatime" };

// Blanks and commas in a name must not end the option.
std::string escaped(std::string const& text)
{
    std::string out;
    for (auto const each : text) {
        if (each == ',' || each == '\\')
            out += '\\';
        out += each;
    }
    return out;
}

void read_offset(std::string const& word, MountWords& read)
{
    auto const text = std::string_view(word).substr(word.find('=') + 1);
    std::uint64_t offset = 0;
    auto const parsed = std::from_chars(text.data(), text.data() + text.size(), offset);
    constexpr std::uint64_t sector_bytes = 512;
    if (parsed.ec != std::errc {} || parsed.ptr != text.data() + text.size()
        || offset % sector_bytes != 0)
        read.refusal = "-o " + word + ": the offset is a number of bytes, a multiple of 512.";
    read.offset = offset;
}

void insist_on_writing(MountWords& read)
{
    read.access = Access::read_write;
    read.otherwise = Otherwise::refused;
}

} // namespace

// Where only root asks, no permission stops anybody. The host checks permissions with the
// attributes of the directory, which it asks for again after each change in it: one more request
// for every file made or removed.
Permissions checked_permissions(MountWords const& words)
{
    bool const shared
        = std::find(words.passed.begin(), words.passed.end(), "allow_other") != words.passed.end();
    return ::geteuid() == 0 && !shared ? Permissions::nobodys : Permissions::everybodys;
}

MountWords read_mount_words(std::vector<std::string> const& words)
{
    MountWords read;
    for (auto const& word : words) {
        if (word == "ro")
            read.access = Access::read_only;
        else if (word == "rw")
            insist_on_writing(read);
        else if (word == "nonempty")
            read.nonempty = true;
        else if (word == "writeback")
            read.buffering = WriteBuffering::by_the_host;
        else if (word.starts_with("offset="))
            read_offset(word, read);
        else if (std::find(passed_on.begin(), passed_on.end(), word) != passed_on.end())
            read.passed.push_back(word);
        else if (word != "defaults" && !word.empty())
            read.refusal = "-o " + word
                + " is not known here. Known: ro, rw, offset=BYTES, writeback, nonempty, "
                  "allow_other, and what mount(8) "
                  "calls suid, dev, exec, atime, sync with their opposites.";
    }
    return read;
}

std::vector<std::string> fuse_words(MountWords const& words, std::string const& image)
{
    std::error_code ignored;
    auto const whole = std::filesystem::absolute(image, ignored).string();
    std::vector<std::string> all { "-osubtype=gemel", "-ofsname=" + escaped(whole),
        words.access == Access::read_write ? "-orw" : "-oro" };
    for (auto const& word : words.passed)
        all.push_back("-o" + word);
    if (checked_permissions(words) == Permissions::everybodys)
        all.push_back("-odefault_permissions");
    return all;
}

bool directory_is_empty(std::string const& directory)
{
    std::error_code error;
    auto const first = std::filesystem::directory_iterator(directory, error);
    return error || first == std::filesystem::directory_iterator();
}

} // namespace gemel::cli
