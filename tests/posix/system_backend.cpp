#include "tests/posix/system_backend.hpp"

#include "servers/rt/system.hpp"

namespace gemel::posix {

namespace {

constexpr usize extended_name_bytes_max = 255;

// What the system's words are in POSIX's. `special` is what one of them means in a particular call.
struct Special {
    Error error;
    Fault fault;
};

Fault fault_of(Error error, std::initializer_list<Special> special = {})
{
    for (auto const& each : special)
        if (each.error == error)
            return each.fault;
    constexpr Special known[] = { { Error::not_found, Fault::noent },
        { Error::exists, Fault::exist }, { Error::not_directory, Fault::notdir },
        { Error::is_directory, Fault::isdir }, { Error::not_empty, Fault::notempty },
        { Error::read_only, Fault::rofs }, { Error::name_too_long, Fault::nametoolong },
        { Error::symlink_loop, Fault::loop }, { Error::no_space, Fault::nospc },
        { Error::corrupt, Fault::uclean }, { Error::unsupported, Fault::opnotsupp },
        { Error::cross_device, Fault::xdev }, { Error::too_many_open, Fault::nfile },
        { Error::too_many_links, Fault::mlink }, { Error::no_attribute, Fault::nodata },
        { Error::busy, Fault::busy }, { Error::no_rights, Fault::perm },
        { Error::too_big, Fault::fbig }, { Error::invalid, Fault::inval },
        { Error::no_memory, Fault::nomem }, { Error::quota, Fault::nomem },
        { Error::unavailable, Fault::again }, { Error::io, Fault::io } };
    for (auto const& each : known)
        if (each.error == error)
            return each.fault;
    return Fault::other;
}

template <typename T>
Fault outcome(Result<T> const& result, std::initializer_list<Special> special = {})
{
    return result ? Fault::none : fault_of(result.error(), special);
}

class SystemBackend final : public Backend {
public:
    SystemBackend(fskit::Files& files, fskit::OpenFile& out)
        : files_(files)
        , out_(out)
    {
    }

    bool knows_users() const override { return false; }
    bool is_fuse() const override { return false; }
    void act_as(User const&) override { }
    void pause() override
    {
        constexpr u64 pause_ns = 2'000'000;
        for (auto const begin = system::time_ns(); system::time_ns() < begin + pause_ns;)
            system::sched_yield();
    }
    void say(std::string const& line) override
    {
        if (!out_.write(line + "\n"))
            system::debug_print(line + "\n");
    }

    Got<int> open(std::string const& path, OpenFlags flags, u16 mode) override
    {
        auto opened = files_.open(path, flags, mode);
        if (!opened)
            return { fault_of(opened.error(), { { Error::unsupported, Fault::nxio } }), -1 };
        int number = 0;
        while (open_.contains(number))
            ++number;
        open_.emplace(number, std::move(*opened));
        return { Fault::none, number };
    }
    Fault close(int file) override { return open_.erase(file) == 1 ? Fault::none : Fault::badf; }
    Got<std::string> read(int file, u64 offset, usize bytes) override
    {
        auto* const from = find(file);
        if (!from)
            return { Fault::badf, {} };
        from->seek(offset);
        std::string found;
        while (found.size() < bytes) {
            auto const piece
                = from->read_piece(std::min<usize>(bytes - found.size(), fskit::io_area_bytes));
            if (!piece)
                return { fault_of(piece.error(), { { Error::no_rights, Fault::badf } }), {} };
            if (piece->empty())
                break;
            found.append(reinterpret_cast<char const*>(piece->data()), piece->size());
        }
        return { Fault::none, std::move(found) };
    }
    // One request, so that a short answer shows.
    Got<usize> write(int file, u64 offset, std::string const& bytes) override
    {
        auto* const to = find(file);
        if (!to)
            return { Fault::badf, 0 };
        usize done = 0;
        auto const region = files_.region();
        do {
            auto const length
                = static_cast<u32>(std::min<usize>(bytes.size() - done, fskit::io_area_bytes));
            std::copy_n(bytes.data() + done, length,
                reinterpret_cast<char*>(region->span().data()) + fskit::io_area_offset);
            auto const reply = to->client().call(
                protocol::File::Write { offset + done, { fskit::io_area_offset, length } });
            if (!reply && done == 0)
                return { fault_of(reply.error(),
                             { { Error::no_rights, Fault::badf },
                                 { Error::is_directory, Fault::badf } }),
                    0 };
            if (!reply || reply->bytes == 0)
                break;
            done += reply->bytes;
        } while (done < bytes.size());
        return { Fault::none, done };
    }
    Fault sync(int file) override
    {
        return on(file, [](fskit::OpenFile& it) { return it.sync(); });
    }
    Fault resize(int file, u64 size) override
    {
        return on(file, [&](fskit::OpenFile& it) { return it.resize(size); },
            { { Error::no_rights, Fault::inval }, { Error::is_directory, Fault::inval } });
    }
    Got<FileStatus> status(int file) override
    {
        auto* const it = find(file);
        if (!it)
            return { Fault::badf, {} };
        auto const found = it->status();
        return { outcome(found), found ? *found : FileStatus {} };
    }
    Fault set_attributes(int file, FileAttributes const& attributes) override
    {
        return on(file, [&](fskit::OpenFile& it) { return it.set_attributes(attributes); });
    }
    Fault allocate(int file, AllocateKind kind, u64 offset, u64 bytes) override
    {
        return on(file, [&](fskit::OpenFile& it) { return it.allocate(kind, offset, bytes); },
            { { Error::no_rights, Fault::badf } });
    }
    Got<u64> seek(int file, SeekKind kind, u64 offset) override
    {
        auto* const it = find(file);
        if (!it)
            return { Fault::badf, 0 };
        auto const found = it->find(kind, offset);
        return { outcome(found, { { Error::not_found, Fault::nxio } }), found ? *found : 0 };
    }
    Got<usize> copy_range(int from, u64 at, int to, u64 there, usize bytes) override
    {
        auto* const source = find(from);
        auto* const target = find(to);
        if (!source || !target)
            return { Fault::badf, 0 };
        auto const done = fskit::copy_range({ *source, at, *target, there, bytes });
        return { outcome(done, { { Error::no_rights, Fault::badf } }), done ? *done : 0 };
    }

    Got<FileStatus> status(std::string const& path, LastLink last) override
    {
        auto const found = files_.status(path, last);
        return { outcome(found), found ? *found : FileStatus {} };
    }
    Fault make_directory(std::string const& path, u16 mode) override
    {
        return outcome(files_.make_directory(path, static_cast<u16>(mode & 01777))); // mkdir(2)
    }
    Fault remove(std::string const& path, RemoveKind kind) override
    {
        return outcome(files_.remove(path, kind));
    }
    Fault rename(std::string const& from, std::string const& to, RenameMode mode) override
    {
        return outcome(files_.rename(from, to, mode));
    }
    Fault link(std::string const& from, std::string const& to) override
    {
        return outcome(files_.link(from, to));
    }
    Fault symlink(std::string const& text, std::string const& path) override
    {
        if (text.empty())
            return Fault::noent;
        return outcome(files_.make_symlink(path, text));
    }
    Got<std::string> read_link(std::string const& path) override
    {
        auto const text = files_.link_text(path);
        return { outcome(text), text ? *text : std::string() };
    }
    Fault make_node(std::string const& path, FileKind kind, u16 mode, u64 device) override
    {
        return outcome(files_.make_node(path, kind, mode, device));
    }
    Fault set_attributes(
        std::string const& path, FileAttributes const& attributes, LastLink last) override
    {
        return outcome(files_.set_attributes(path, attributes, last));
    }
    Fault resize(std::string const& path, u64 size) override
    {
        FileAttributes change { .size = size };
        change.add(AttributeChange::size);
        return outcome(files_.set_attributes(path, change, LastLink::follow));
    }
    Got<std::map<std::string, FileKind>> list(std::string const& path) override
    {
        auto const listed = files_.list(path);
        std::map<std::string, FileKind> found;
        if (listed)
            for (auto const& entry : *listed)
                found[entry.name] = entry.kind;
        return { outcome(listed), std::move(found) };
    }
    Got<VolumeStatus> volume(std::string const& path) override
    {
        auto const found = files_.volume(path);
        return { outcome(found), found ? *found : VolumeStatus {} };
    }
    Got<std::string> get_extended(std::string const& path, std::string const& name) override
    {
        auto const value = files_.get_extended(path, name);
        return { outcome(value, { { Error::too_big, Fault::range } }),
            value ? *value : std::string() };
    }
    Fault set_extended(std::string const& path, std::string const& name, std::string const& value,
        ExtendedMode mode) override
    {
        if (name.empty() || name.size() > extended_name_bytes_max) // as strncpy_from_user() has it
            return Fault::range;
        return outcome(
            files_.set_extended(path, name, value, mode), { { Error::too_big, Fault::toobig } });
    }
    Got<std::vector<std::string>> list_extended(std::string const& path) override
    {
        auto const names = files_.list_extended(path);
        std::vector<std::string> found;
        if (names)
            found.assign(names->begin(), names->end());
        return { outcome(names, { { Error::too_big, Fault::range } }), std::move(found) };
    }
    Fault remove_extended(std::string const& path, std::string const& name) override
    {
        return outcome(files_.remove_extended(path, name));
    }

private:
    fskit::OpenFile* find(int file)
    {
        auto const found = open_.find(file);
        return found == open_.end() ? nullptr : &found->second;
    }
    template <typename Work>
    Fault on(int file, Work work, std::initializer_list<Special> special = {})
    {
        auto* const it = find(file);
        return it ? outcome(work(*it), special) : Fault::badf;
    }

    fskit::Files& files_;
    fskit::OpenFile& out_;
    std::map<int, fskit::OpenFile> open_;
};

} // namespace

std::unique_ptr<Backend> system_backend(fskit::Files& files, fskit::OpenFile& out)
{
    return std::make_unique<SystemBackend>(files, out);
}

} // namespace gemel::posix
