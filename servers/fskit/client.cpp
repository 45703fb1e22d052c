// What a program uses to reach files by name (see client.hpp).
#include "servers/fskit/client.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::fskit {

using protocol::File;
using protocol::Vfs;

namespace {

constexpr Span answer_span { .offset = answer_area_offset, .length = answer_area_bytes };

Span io_span(usize bytes)
{
    return { .offset = io_area_offset,
        .length = static_cast<u32>(std::min<usize>(bytes, io_area_bytes)) };
}

} // namespace

Result<std::span<std::byte const>> OpenFile::read_piece(usize bytes_max)
{
    auto const span = io_span(bytes_max);
    auto const reply = TRY(file_.call(File::Read { .offset = position_, .span = span }));
    if (reply.bytes > span.length)
        return Error::invalid_request;
    position_ += reply.bytes;
    return std::span<std::byte const>((*region_)->span().subspan(span.offset, reply.bytes));
}

Result<usize> OpenFile::read(std::span<std::byte> into)
{
    usize done = 0;
    while (done < into.size()) {
        auto const wanted = std::min<usize>(into.size() - done, io_area_bytes);
        auto const piece = TRY(read_piece(wanted));
        std::copy(piece.begin(), piece.end(), into.begin() + static_cast<std::ptrdiff_t>(done));
        done += piece.size();
        if (piece.size() < wanted)
            break;
    }
    return done;
}

Result<std::string> OpenFile::read_rest(usize bytes_max)
{
    std::string text;
    for (;;) {
        auto const piece = TRY(read_piece());
        if (piece.empty())
            return text;
        if (piece.size() > bytes_max - text.size())
            return Error::too_big;
        text.append(reinterpret_cast<char const*>(piece.data()), piece.size());
    }
}

Result<void> OpenFile::write_area(u32 offset, u32 bytes)
{
    while (bytes > 0) {
        auto const reply
            = TRY(file_.call(File::Write { .offset = position_, .span = { offset, bytes } }));
        if (reply.bytes == 0)
            return Error::no_space;
        if (reply.bytes > bytes)
            return Error::invalid_request;
        position_ += reply.bytes;
        offset += reply.bytes;
        bytes -= reply.bytes;
    }
    return {};
}

Result<void> OpenFile::write(std::span<std::byte const> bytes)
{
    while (!bytes.empty()) {
        auto const span = io_span(bytes.size());
        std::memcpy((*region_)->span().data() + span.offset, bytes.data(), span.length);
        TRY(write_area(span.offset, span.length));
        bytes = bytes.subspan(span.length);
    }
    return {};
}

Result<void> OpenFile::write(std::string_view text)
{
    return write(std::as_bytes(std::span(text.data(), text.size())));
}

Result<void> OpenFile::write_piece(std::span<std::byte const> piece)
{
    auto const region = (*region_)->span();
    auto const offset = piece.data() - region.data();
    if (offset < 0 || static_cast<usize>(offset) + piece.size() > region.size())
        return Error::invalid;
    return write_area(static_cast<u32>(offset), static_cast<u32>(piece.size()));
}

Result<void> OpenFile::sync(SyncKind kind)
{
    TRY(file_.call(File::Sync { .kind = kind }));
    return {};
}

Result<void> OpenFile::resize(u64 size)
{
    TRY(file_.call(File::Resize { .size = size }));
    return {};
}

Result<FileStatus> OpenFile::status()
{
    TRY(file_.call(File::Stat { .answer = answer_span }));
    FileStatus status;
    std::memcpy(&status, (*region_)->span().data() + answer_area_offset, sizeof(status));
    return status;
}

Result<void> OpenFile::set_attributes(FileAttributes const& attributes)
{
    Span const span { .offset = answer_area_offset, .length = sizeof(attributes) };
    std::memcpy((*region_)->span().data() + span.offset, &attributes, sizeof(attributes));
    TRY(file_.call(File::SetAttributes { .attributes = span }));
    return {};
}

Result<void> OpenFile::allocate(AllocateKind kind, u64 offset, u64 bytes)
{
    TRY(file_.call(File::Allocate { .offset = offset, .bytes = bytes, .kind = kind }));
    return {};
}

Result<u64> OpenFile::find(SeekKind kind, u64 offset)
{
    return TRY(file_.call(File::Seek { .offset = offset, .kind = kind })).offset;
}

Result<u64> copy_range(CopyRange const& range)
{
    auto const from = TRY(range.from.status());
    auto const to = TRY(range.to.status());
    if (from.kind == FileKind::directory || to.kind == FileKind::directory)
        return Error::is_directory;
    if (from.kind != FileKind::regular || to.kind != FileKind::regular)
        return Error::invalid;
    // Who may not is told before anything else.
    TRY(range.from.read_piece(0));
    TRY(range.to.client().call(File::Write { .offset = 0, .span = io_span(0) }));
    auto const bytes
        = range.from_offset < from.size ? std::min(range.bytes, from.size - range.from_offset) : 0;
    bool const overlap = range.from_offset < range.to_offset + bytes
        && range.to_offset < range.from_offset + bytes;
    if (from.inode == to.inode && overlap)
        return Error::invalid;
    u64 done = 0;
    while (done < bytes) {
        range.from.seek(range.from_offset + done);
        auto const piece = TRY(
            range.from.read_piece(static_cast<usize>(std::min<u64>(bytes - done, io_area_bytes))));
        if (piece.empty())
            break;
        range.to.seek(range.to_offset + done); // the two may be one
        if (auto const written = range.to.write_piece(piece); !written)
            return done > 0 ? Result<u64>(done) : written.error();
        done += piece.size();
    }
    return done;
}

Result<Handle> OpenFile::share() const
{
    return file_.handle().derive(Right::call | Right::derive);
}

Result<std::optional<std::string>> LineReader::next()
{
    for (usize searched = begin_;;) {
        auto const end = buffer_.find('\n', searched);
        if (end != std::string::npos) {
            auto line = buffer_.substr(begin_, end - begin_);
            begin_ = end + 1;
            return std::optional(std::move(line));
        }
        buffer_.erase(0, std::exchange(begin_, 0));
        if (ended_)
            break;
        if (buffer_.size() > line_bytes_max)
            return Error::too_big;
        searched = buffer_.size();
        auto const piece = TRY(file_.read_piece());
        buffer_.append(reinterpret_cast<char const*>(piece.data()), piece.size());
        ended_ = piece.empty();
    }
    if (buffer_.empty())
        return std::optional<std::string>();
    return std::optional(std::exchange(buffer_, {}));
}

Result<Files> Files::create(Client<Vfs> vfs)
{
    Client<Vfs> session { std::move(TRY(vfs.call(Vfs::Session {})).vfs) };
    auto region = TRY(SharedRegion::create(session_region_bytes));
    TRY(session.call(Vfs::Attach { .region = TRY(region.handle_for_peer()) }));
    return Files(std::move(vfs), std::move(session), make_ref<SharedRegion>(std::move(region)));
}

Result<Span> Files::put(std::string_view name, NameArea area)
{
    if (name.size() > name_area_bytes)
        return Error::name_too_long;
    auto const offset = area == NameArea::first ? 0 : name_area_bytes;
    std::memcpy(region_->span().data() + offset, name.data(), name.size());
    return Span { .offset = offset, .length = static_cast<u32>(name.size()) };
}

std::string_view Files::answer_text(u32 bytes) const
{
    auto const* const text = region_->span().data() + answer_area_offset;
    return { reinterpret_cast<char const*>(text), std::min(bytes, answer_area_bytes) };
}

template <typename T>
T Files::answer_struct() const
{
    T value;
    std::memcpy(&value, region_->span().data() + answer_area_offset, sizeof(value));
    return value;
}

Result<OpenFile> Files::open(std::string_view path, OpenFlags flags, u16 mode)
{
    auto const span = TRY(put(path));
    auto reply = TRY(vfs_.call(Vfs::Open { .path = span, .flags = flags, .mode = mode }));
    return OpenFile(Client<File>(std::move(reply.file)), region_);
}

Result<OpenFile> Files::attach(Client<File> const& file)
{
    auto reply = TRY(file.call(File::Attach { .region = TRY(region_->handle_for_peer()) }));
    return OpenFile(Client<File>(std::move(reply.file)), region_);
}

Result<FileStatus> Files::status(std::string_view path, LastLink last)
{
    auto const span = TRY(put(path));
    TRY(vfs_.call(Vfs::Stat { .path = span, .last = last, .answer = answer_span }));
    return answer_struct<FileStatus>();
}

template <typename Request, typename Record, typename Entry>
Result<void> Files::list_with(std::string_view path, Entry entry)
{
    u64 cookie = 0;
    for (;;) {
        auto const span = TRY(put(path));
        auto const reply
            = TRY(vfs_.call(Request { .path = span, .cookie = cookie, .answer = answer_span }));
        if (reply.bytes == 0)
            return {};
        auto const text = answer_text(reply.bytes);
        EntryReader reader { std::as_bytes(std::span(text.data(), text.size())) };
        Record record;
        std::string_view name;
        usize count = 0;
        for (; reader.next(record, name); ++count)
            cookie = entry(record, name);
        if (count == 0) // bytes without an entry would never end
            return Error::invalid_request;
    }
}

Result<std::deque<ListedEntry>> Files::list(std::string_view path)
{
    std::deque<ListedEntry> entries;
    auto const take = [&](DirectoryEntry const& entry, std::string_view name) {
        entries.push_back({ std::string(name), entry.inode, entry.kind });
        return entry.cookie;
    };
    TRY((list_with<Vfs::Readdir, DirectoryEntry>(path, take)));
    std::sort(entries.begin(), entries.end(),
        [](auto const& a, auto const& b) { return a.name < b.name; });
    return entries;
}

Result<void> Files::each(std::string_view path, TakeEntry const& take)
{
    return list_with<Vfs::Readdir, DirectoryEntry>(
        path, [&](DirectoryEntry const& entry, std::string_view name) {
            take(name, entry.kind);
            return entry.cookie;
        });
}

Result<void> Files::each_status(std::string_view path, TakeStatus const& take)
{
    return list_with<Vfs::ReaddirStatus, DirectoryEntryStatus>(
        path, [&](DirectoryEntryStatus const& record, std::string_view name) {
            take(name, record.status);
            return record.entry.cookie;
        });
}

Result<void> Files::make_directory(std::string_view path, u16 mode)
{
    TRY(vfs_.call(Vfs::Mkdir { .path = TRY(put(path)), .mode = mode }));
    return {};
}

Result<void> Files::remove(std::string_view path, RemoveKind kind)
{
    TRY(vfs_.call(Vfs::Unlink { .path = TRY(put(path)), .kind = kind }));
    return {};
}

Result<void> Files::rename(std::string_view from, std::string_view to, RenameMode mode)
{
    auto const from_span = TRY(put(from));
    auto const to_span = TRY(put(to, NameArea::second));
    TRY(vfs_.call(Vfs::Rename { .from = from_span, .to = to_span, .mode = mode }));
    return {};
}

Result<void> Files::link(std::string_view from, std::string_view to)
{
    auto const from_span = TRY(put(from));
    auto const to_span = TRY(put(to, NameArea::second));
    TRY(vfs_.call(Vfs::Link { .from = from_span, .to = to_span }));
    return {};
}

Result<void> Files::make_node(
    std::string_view path, FileKind kind, u16 mode, u64 device, Owner owner)
{
    TRY(vfs_.call(Vfs::MakeNode {
        .path = TRY(put(path)), .kind = kind, .mode = mode, .device = device, .owner = owner }));
    return {};
}

Result<void> Files::set_attributes(
    std::string_view path, FileAttributes const& attributes, LastLink last)
{
    auto const path_span = TRY(put(path));
    std::string_view const bytes(reinterpret_cast<char const*>(&attributes), sizeof(attributes));
    auto const span = TRY(put(bytes, NameArea::second));
    TRY(vfs_.call(Vfs::SetAttributes { .path = path_span, .last = last, .attributes = span }));
    return {};
}

Result<void> Files::sync(std::string_view path, SyncScope scope)
{
    TRY(vfs_.call(Vfs::Sync { .path = TRY(put(path)), .scope = scope }));
    return {};
}

Result<std::string> Files::link_text(std::string_view path)
{
    auto const reply
        = TRY(vfs_.call(Vfs::Readlink { .path = TRY(put(path)), .answer = answer_span }));
    return std::string(answer_text(reply.bytes));
}

Result<void> Files::make_symlink(std::string_view path, std::string_view text)
{
    auto const path_span = TRY(put(path));
    auto const text_span = TRY(put(text, NameArea::second));
    TRY(vfs_.call(Vfs::Symlink { .path = path_span, .text = text_span }));
    return {};
}

namespace {

// A value lies where the answer would.
Result<Span> put_value(SharedRegion const& region, std::string_view value)
{
    if (value.size() > answer_area_bytes)
        return Error::too_big;
    std::memcpy(region.span().data() + answer_area_offset, value.data(), value.size());
    return Span { .offset = answer_area_offset, .length = static_cast<u32>(value.size()) };
}

} // namespace

Result<std::string> Files::get_extended(std::string_view path, std::string_view name, LastLink last)
{
    auto const path_span = TRY(put(path));
    auto const name_span = TRY(put(name, NameArea::second));
    auto const reply = TRY(vfs_.call(Vfs::GetExtended {
        .path = path_span, .last = last, .attribute = name_span, .answer = answer_span }));
    return std::string(answer_text(reply.bytes));
}

Result<void> Files::set_extended(
    std::string_view path, std::string_view name, std::string_view value, ExtendedMode mode)
{
    auto const path_span = TRY(put(path));
    auto const name_span = TRY(put(name, NameArea::second));
    auto const value_span = TRY(put_value(*region_, value));
    TRY(vfs_.call(Vfs::SetExtended { .path = path_span,
        .last = LastLink::follow,
        .attribute = name_span,
        .value = value_span,
        .mode = mode }));
    return {};
}

Result<std::deque<std::string>> Files::list_extended(std::string_view path)
{
    auto const reply = TRY(vfs_.call(Vfs::ListExtended {
        .path = TRY(put(path)), .last = LastLink::follow, .answer = answer_span }));
    std::deque<std::string> names;
    auto text = answer_text(reply.bytes);
    for (auto end = text.find('\0'); end != std::string_view::npos; end = text.find('\0')) {
        names.emplace_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return names;
}

Result<void> Files::remove_extended(std::string_view path, std::string_view name)
{
    auto const path_span = TRY(put(path));
    auto const name_span = TRY(put(name, NameArea::second));
    TRY(vfs_.call(Vfs::RemoveExtended {
        .path = path_span, .last = LastLink::follow, .attribute = name_span }));
    return {};
}

Result<VolumeStatus> Files::volume(std::string_view path)
{
    TRY(vfs_.call(Vfs::Statfs { .path = TRY(put(path)), .answer = answer_span }));
    return answer_struct<VolumeStatus>();
}

Result<Files::Checked> Files::check_volume(std::string_view path)
{
    auto const reply = TRY(vfs_.call(Vfs::Fsck { .path = TRY(put(path)), .answer = answer_span }));
    return Checked { reply.problems, std::string(answer_text(reply.bytes)) };
}

Result<u64> Files::trim_volume(std::string_view path)
{
    return TRY(vfs_.call(Vfs::Trim { .path = TRY(put(path)) })).bytes;
}

Result<Files::RealPath> Files::resolve(std::string_view path)
{
    auto const reply
        = TRY(vfs_.call(Vfs::Resolve { .path = TRY(put(path)), .answer = answer_span }));
    return RealPath { std::string(answer_text(reply.bytes)), reply.kind };
}

Result<std::string> Files::mounts()
{
    auto const reply = TRY(vfs_.call(Vfs::Mounts { .answer = answer_span }));
    return std::string(answer_text(reply.bytes));
}

Result<std::string> Files::read_all(std::string_view path, usize bytes_max)
{
    auto file = TRY(open(path, static_cast<OpenFlags>(OpenFlag::read)));
    return file.read_rest(bytes_max);
}

Result<void> Files::write_all(std::string_view path, std::string_view text)
{
    auto file = TRY(open(path, OpenFlag::write | OpenFlag::create | OpenFlag::truncate));
    return file.write(text);
}

Result<Handle> Files::session_for_another(u32 files_max)
{
    auto reply = TRY(origin_.call(Vfs::Session { .files_max = files_max }));
    return std::move(reply.vfs);
}

} // namespace gemel::fskit
