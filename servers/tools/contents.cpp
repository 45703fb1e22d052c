// Tools that read files as bytes or lines: cat, head, hexdump, tail, tee, wc.
#include "servers/tools/commands.hpp"
#include "servers/tools/format.hpp"

#include <algorithm>
#include <deque>

namespace gemel::tools {
namespace {

std::string_view text_of(std::span<std::byte const> bytes)
{
    return { reinterpret_cast<char const*>(bytes.data()), bytes.size() };
}

// Piece by piece, as it comes; the session's region is never copied.
Result<void> copy(fskit::OpenFile& from, Output& to)
{
    to.flush();
    while (!to.error()) {
        auto const piece = TRY(from.read_piece());
        if (piece.empty())
            break;
        if (auto const written = to.file().write_piece(piece); !written) {
            to.failed(written.error());
            return written.error();
        }
    }
    return {};
}

struct Counts {
    u64 lines = 0;
    u64 words = 0;
    u64 bytes = 0;
};

Result<Counts> count(fskit::OpenFile& file)
{
    auto counts = Counts {};
    auto in_word = false;
    for (;;) {
        auto const piece = text_of(TRY(file.read_piece()));
        if (piece.empty())
            return counts;
        counts.bytes += piece.size();
        for (auto const c : piece) {
            auto const blank = c == ' ' || (c >= '\t' && c <= '\r');
            counts.lines += c == '\n' ? 1 : 0;
            counts.words += !blank && !in_word ? 1 : 0;
            in_word = !blank;
        }
    }
}

std::string counts_line(
    Counts const& counts, Context::Options const& options, std::string_view name)
{
    auto const all = !options.has('l') && !options.has('w') && !options.has('c');
    auto result = std::string {};
    auto const add = [&](bool wanted, u64 number) {
        if (wanted)
            result += padded(std::to_string(number), 7, Align::right) + " ";
    };
    add(all || options.has('l'), counts.lines);
    add(all || options.has('w'), counts.words);
    add(all || options.has('c'), counts.bytes);
    result += name;
    result.erase(result.find_last_not_of(' ') + 1);
    return result;
}

// How much head and tail show.
struct Amount {
    enum class Unit : u8 { lines, bytes };
    Unit unit = Unit::lines;
    u64 count = 10;
};

std::optional<Amount> amount(Context& context, Context::Options const& options)
{
    auto const bytes = options.has('c');
    if (!bytes && !options.has('n'))
        return Amount {};
    auto const count = context.number(options.values.at(bytes ? 'c' : 'n'));
    if (!count)
        return std::nullopt;
    return Amount { bytes ? Amount::Unit::bytes : Amount::Unit::lines, *count };
}

Result<void> show_head(fskit::OpenFile& file, Amount left, Output& out)
{
    while (left.count > 0 && !out.error()) {
        auto const wanted = left.unit == Amount::Unit::bytes
            ? std::min<u64>(left.count, fskit::io_area_bytes)
            : fskit::io_area_bytes;
        auto piece = text_of(TRY(file.read_piece(wanted)));
        if (piece.empty())
            break;
        usize end = 0;
        if (left.unit == Amount::Unit::bytes) {
            end = piece.size();
            left.count -= end;
        }
        while (left.unit == Amount::Unit::lines && left.count > 0 && end < piece.size()) {
            end = std::min(piece.find('\n', end), piece.size() - 1) + 1;
            left.count -= piece[end - 1] == '\n' ? 1 : 0;
        }
        out.write(std::string(piece.substr(0, end)));
    }
    return {};
}

// Keeps only what may still be shown.
Result<void> show_tail(fskit::OpenFile& file, Amount amount, Output& out)
{
    auto lines = std::deque<std::string> {};
    auto reader = fskit::LineReader(file);
    if (amount.unit == Amount::Unit::bytes) {
        auto kept = std::string {};
        for (;;) {
            auto const piece = text_of(TRY(file.read_piece()));
            if (piece.empty())
                break;
            kept += piece;
            kept.erase(0, kept.size() - std::min<u64>(kept.size(), amount.count));
        }
        out.write(kept);
        return {};
    }
    while (auto line = TRY(reader.next())) {
        lines.push_back(std::move(*line));
        if (lines.size() > amount.count)
            lines.pop_front();
    }
    for (auto const& line : lines)
        out.line(line);
    return {};
}

using Show = Result<void> (*)(fskit::OpenFile&, Amount, Output&);

int head_or_tail(Context& context, Show show)
{
    auto const options = context.options("n:c:");
    if (!options)
        return status_usage;
    auto const wanted = amount(context, *options);
    if (!wanted)
        return status_usage;
    auto const many = options->operands.size() > 1;
    auto first = true;
    return context.for_each_input(
        options->operands, [&](fskit::OpenFile& file, std::string const& path) {
            if (many)
                context.out().line(
                    (std::exchange(first, false) ? "==> " : "\n==> ") + path + " <==");
            return show(file, *wanted, context.out());
        });
}

struct DumpRange {
    u64 skip = 0;
    u64 bytes_max = ~u64 { 0 };
};

Result<void> dump(fskit::OpenFile& file, DumpRange range, Output& out)
{
    auto row = std::string {};
    u64 offset = 0;
    auto const end = range.skip + std::min(range.bytes_max, ~u64 { 0 } - range.skip);
    while (offset < end && !out.error()) {
        auto const piece = std::string(text_of(TRY(file.read_piece())));
        if (piece.empty())
            break;
        for (auto const c : piece) {
            if (offset >= end)
                break;
            if (offset++ < range.skip)
                continue;
            row += c;
            if (row.size() == 16)
                out.line(hexdump_row(offset - 16, std::exchange(row, {})));
        }
    }
    if (!row.empty())
        out.line(hexdump_row(offset - row.size(), row));
    out.line(hexadecimal(offset, 8));
    return {};
}

} // namespace

int run_cat(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    return context.for_each_input(options->operands,
        [&](fskit::OpenFile& file, std::string const&) { return copy(file, context.out()); });
}

int run_tee(Context& context)
{
    auto const options = context.options("a");
    if (!options)
        return status_usage;
    auto const how = options->has('a') ? OpenFlag::append : OpenFlag::truncate;
    auto status = status_ok;
    auto copies = std::vector<fskit::OpenFile> {};
    for (auto const& path : options->operands) {
        auto file = context.open(path, OpenFlag::write | OpenFlag::create | how);
        if (file)
            copies.push_back(std::move(*file));
        else
            status = context.fail(path, file.error());
    }
    auto input = context.open_input("-");
    if (!input)
        return context.fail("standard input", input.error());
    for (;;) {
        auto const piece = input->read_piece();
        if (!piece)
            return context.fail("standard input", piece.error());
        if (piece->empty())
            return status;
        auto const text = std::string(text_of(*piece));
        for (auto& copy : copies)
            if (auto const written = copy.write(text); !written)
                return context.fail("a copy", written.error());
        context.out().write(text);
        context.out().flush();
        if (context.out().error())
            return status_failed;
    }
}

int run_wc(Context& context)
{
    auto const options = context.options("lwc");
    if (!options)
        return status_usage;
    auto total = Counts {};
    auto const status = context.for_each_input(
        options->operands, [&](fskit::OpenFile& file, std::string const& path) -> Result<void> {
            auto const counts = TRY(count(file));
            total.lines += counts.lines;
            total.words += counts.words;
            total.bytes += counts.bytes;
            auto const name = options->operands.empty() ? "" : path;
            context.out().line(counts_line(counts, *options, name));
            return {};
        });
    if (options->operands.size() > 1)
        context.out().line(counts_line(total, *options, "total"));
    return status;
}

int run_head(Context& context)
{
    return head_or_tail(context, show_head);
}

int run_tail(Context& context)
{
    return head_or_tail(context, show_tail);
}

int run_hexdump(Context& context)
{
    auto const options = context.options("Cn:s:");
    if (!options)
        return status_usage;
    auto range = DumpRange {};
    for (auto const& [letter, text] : options->values) {
        auto const number = context.number(text);
        if (!number)
            return status_usage;
        (letter == 'n' ? range.bytes_max : range.skip) = *number;
    }
    return context.for_each_input(
        options->operands, [&](fskit::OpenFile& file, std::string const&) {
            return dump(file, range, context.out());
        });
}

} // namespace gemel::tools
