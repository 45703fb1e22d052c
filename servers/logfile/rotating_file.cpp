#include "servers/logfile/rotating_file.hpp"

#include "servers/rt/text.hpp"

#include <algorithm>

namespace gemel::logfile {
namespace {

// As many whole lines of `text` as fit.
std::string_view lines_within(std::string_view text, u64 bytes)
{
    if (text.size() <= bytes)
        return text;
    auto const fitting = text.substr(0, bytes);
    return fitting.substr(0, fitting.rfind('\n') + 1);
}

std::string_view first_line(std::string_view text)
{
    auto const end = text.find('\n');
    return end == text.npos ? text : text.substr(0, end + 1);
}

} // namespace

std::string RotatingFile::older(unsigned number) const
{
    return concatenate(path_, '.', number);
}

Result<fskit::OpenFile> RotatingFile::open()
{
    constexpr auto flags
        = OpenFlag::read | OpenFlag::write | OpenFlag::create | OpenFlags(OpenFlag::append);
    return files_.open(path_, flags);
}

Result<void> RotatingFile::check()
{
    TRY(open());
    return {};
}

// Its size, once its last line is whole: after a crash it may end anywhere.
Result<u64> RotatingFile::whole_size(fskit::OpenFile& file)
{
    auto size = TRY(file.status()).size;
    if (size != 0 && !ends_line_) {
        std::byte last {};
        file.seek(size - 1);
        auto const count = TRY(file.read({ &last, 1 }));
        if (count == 1 && last != std::byte { '\n' }) {
            TRY(file.write("\n"));
            ++size;
        }
    }
    ends_line_ = true;
    return size;
}

// All of the lines or none, as far as the file system still does anything.
Result<void> RotatingFile::write(fskit::OpenFile& file, u64 size, std::string_view lines)
{
    auto const written = file.write(lines);
    if (!written)
        ends_line_ = file.resize(size).has_value();
    return written;
}

// Those below the first number that is free move up: what a power cut interrupted is gone on with,
// and nothing is lost that has room.
Result<void> RotatingFile::rotate()
{
    unsigned free = 1;
    while (free < older_max && files_.status(older(free), LastLink::keep))
        ++free;
    for (auto number = free; number > 1; --number)
        TRY(files_.rename(older(number - 1), older(number)));
    return files_.rename(path_, older(1));
}

Result<void> RotatingFile::append(std::string_view& text)
{
    while (!text.empty()) {
        auto file = TRY(open());
        auto const size = TRY(whole_size(file));
        auto lines = lines_within(text, bytes_max_ - std::min(size, bytes_max_));
        if (lines.empty() && size != 0) {
            TRY(rotate());
            continue;
        }
        if (lines.empty())
            lines = first_line(text);
        TRY(write(file, size, lines));
        text.remove_prefix(lines.size());
    }
    return {};
}

} // namespace gemel::logfile
