#include "frontends/cli/place.hpp"

#include "frontends/cli/process.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

// What a program writes.
std::string output_of(std::vector<std::string> const& words)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return "";
    auto const quiet = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    auto const process = start_program(words, ends[1], quiet);
    ::close(ends[1]);
    ::close(quiet);
    std::string text;
    std::array<char, 4096> bytes {};
    for (ssize_t got = 0; process > 0 && (got = ::read(ends[0], bytes.data(), bytes.size())) > 0;)
        text.append(bytes.data(), static_cast<usize>(got));
    ::close(ends[0]);
    if (process > 0)
        (void)wait_for(process);
    return text;
}

// Relative to the repository: debug information has it below the build tree.
std::string source_of(std::string const& line)
{
    constexpr std::string_view build = "build/";
    auto begin = usize { 0 };
    for (auto at = line.find(build); at != std::string::npos; at = line.find(build, at + 1))
        begin = std::min(line.find('/', at + build.size()), line.size() - 1) + 1;
    return line.substr(begin);
}

} // namespace

std::string line_of(u64 place)
{
    // The place is behind a call: the byte before it is the call's.
    char address[32];
    std::snprintf(address, sizeof address, "0x%llx", static_cast<unsigned long long>(place - 1));
    char self[4096] = {};
    if (::readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return "?";
    // Inlined functions from the inside out: the first that is no library's.
    auto const text = output_of({ find_program("addr2line"), "-i", "-e", self, address });
    for (usize begin = 0; begin < text.size();) {
        auto const end = std::min(text.find('\n', begin), text.size());
        auto const line = text.substr(begin, end - begin);
        if (!line.starts_with("/usr/") && !line.starts_with("?"))
            return source_of(line.substr(0, line.find(' ')));
        begin = end + 1;
    }
    return "?";
}

std::string with_lines(std::string text)
{
    constexpr std::string_view mark = "@0x";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        char* end = nullptr;
        auto const place = std::strtoull(text.c_str() + at + 1, &end, 16);
        auto const bytes = static_cast<usize>(end - text.c_str()) - at;
        if (auto const line = line_of(place); line != "?")
            text.replace(at, bytes, line);
    }
    return text;
}

std::string words_of(sim::Stop const& stop)
{
    char text[256];
    std::snprintf(text, sizeof text, "preempt %s(%u)@%s edge %u -> %s(%u)", stop.task, stop.thread,
        line_of(stop.place).c_str(), stop.edge, stop.other_task, stop.other);
    return text;
}

} // namespace gemel::cli
