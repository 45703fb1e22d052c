#include "servers/ext4/open_file.hpp"

#include "servers/ext4/attribute_request.hpp"

#include <cstring>

namespace gemel::ext4 {

Result<void> OpenFile::check_open() const
{
    if (opening_->closed.load())
        return Error::dead;
    return {};
}

void Opening::close()
{
    if (closed.exchange(true))
        return;
    auto const volume = served.volume.lock();
    if (volume->writer())
        static_cast<void>(volume->writer()->closed(inode)); // what fails is told to the log
}

Result<File::Read::Reply> OpenFile::on(File::Read const& request)
{
    TRY(check_open());
    if (!has(opening_->flags, OpenFlag::read))
        return Error::no_rights;
    auto const memory = TRY(region_.at(request.span));
    std::span const target(reinterpret_cast<u8*>(memory.data()), memory.size());
    auto const volume = served_.volume.lock();
    auto const inode = TRY(volume->inode(opening_->inode, InodeUse::any));
    auto const ahead = opening_->read_ahead.note(request.offset, target.size());
    auto const bytes = TRY(volume->read(inode, request.offset, target, ahead));
    return File::Read::Reply { static_cast<u32>(bytes) };
}

Result<VolumeWriter*> OpenFile::writer_of(Volume const& volume) const
{
    if (!has(opening_->flags, OpenFlag::write))
        return Error::no_rights;
    if (!volume.writer())
        return Error::read_only;
    return volume.writer();
}

Result<File::Write::Reply> OpenFile::on(File::Write const& request)
{
    TRY(check_open());
    auto const memory = TRY(region_.at(request.span));
    Bytes const source(reinterpret_cast<u8 const*>(memory.data()), memory.size());
    auto const volume = served_.volume.lock();
    auto* const writer = TRY(writer_of(*volume));
    auto offset = request.offset;
    if (has(opening_->flags, OpenFlag::append))
        offset = TRY(volume->inode(opening_->inode, InodeUse::any)).size_bytes;
    auto const bytes = TRY(writer->write(opening_->inode, offset, source));
    return File::Write::Reply { static_cast<u32>(bytes) };
}

Result<File::Resize::Reply> OpenFile::on(File::Resize const& request)
{
    TRY(check_open());
    auto const volume = served_.volume.lock();
    TRY(TRY(writer_of(*volume))->resize(opening_->inode, request.size));
    return File::Resize::Reply {};
}

Result<File::SetAttributes::Reply> OpenFile::on(File::SetAttributes const& request)
{
    TRY(check_open());
    auto const bytes = TRY(region_.at(request.attributes));
    auto const attributes = TRY(attributes_in(bytes));
    auto const volume = served_.volume.lock();
    if (attributes.has(AttributeChange::size))
        TRY(writer_of(*volume));
    TRY(set_attributes(*volume, opening_->inode, attributes));
    return File::SetAttributes::Reply {};
}

Result<File::Allocate::Reply> OpenFile::on(File::Allocate const& request)
{
    TRY(check_open());
    auto const volume = served_.volume.lock();
    auto* const writer = TRY(writer_of(*volume));
    auto const allocation = [&]() -> Result<Allocation> {
        switch (request.kind) {
        case AllocateKind::grow:
            return Allocation::grow;
        case AllocateKind::keep_size:
            return Allocation::keep_size;
        case AllocateKind::punch:
            return Allocation::punch;
        case AllocateKind::zero:
            return Allocation::zero;
        case AllocateKind::zero_keep_size:
            return Allocation::zero_keep_size;
        }
        return Error::unsupported;
    };
    TRY(writer->allocate(opening_->inode, request.offset, request.bytes, TRY(allocation())));
    return File::Allocate::Reply {};
}

Result<File::Seek::Reply> OpenFile::on(File::Seek const& request)
{
    TRY(check_open());
    auto const volume = served_.volume.lock();
    auto const inode = TRY(volume->inode(opening_->inode, InodeUse::any));
    if (inode.type() != FileType::regular)
        return inode.is_directory() ? Error::is_directory : Error::invalid;
    auto const sought
        = request.kind == SeekKind::data ? Volume::Sought::data : Volume::Sought::hole;
    return File::Seek::Reply { TRY(volume->seek(inode, request.offset, sought)) };
}

Result<File::GetExtended::Reply> OpenFile::on(File::GetExtended const& request)
{
    TRY(check_open());
    auto const name = TRY(attribute_name_in(TRY(region_.at(request.attribute))));
    auto const target = TRY(region_.at(request.answer));
    auto const volume = served_.volume.lock();
    auto const inode = TRY(volume->inode(opening_->inode, InodeUse::any));
    auto const value = TRY(volume->get_extended(inode, name));
    return File::GetExtended::Reply { TRY(put_bytes(target, std::as_bytes(std::span(value)))) };
}

Result<File::SetExtended::Reply> OpenFile::on(File::SetExtended const& request)
{
    TRY(check_open());
    auto const name = TRY(attribute_name_in(TRY(region_.at(request.attribute))));
    auto const mode = TRY(mode_of(request.mode));
    auto const value = copy_of(TRY(region_.at(request.value)));
    auto const volume = served_.volume.lock();
    if (!volume->writer())
        return Error::read_only;
    TRY(volume->writer()->set_extended(opening_->inode, name, value, mode));
    return File::SetExtended::Reply {};
}

Result<File::ListExtended::Reply> OpenFile::on(File::ListExtended const& request)
{
    TRY(check_open());
    auto const target = TRY(region_.at(request.answer));
    auto const volume = served_.volume.lock();
    auto const inode = TRY(volume->inode(opening_->inode, InodeUse::any));
    auto const names = TRY(volume->list_extended(inode));
    return File::ListExtended::Reply { TRY(put_bytes(target, std::as_bytes(std::span(names)))) };
}

Result<File::RemoveExtended::Reply> OpenFile::on(File::RemoveExtended const& request)
{
    TRY(check_open());
    auto const name = TRY(attribute_name_in(TRY(region_.at(request.attribute))));
    auto const volume = served_.volume.lock();
    if (!volume->writer())
        return Error::read_only;
    TRY(volume->writer()->remove_extended(opening_->inode, name));
    return File::RemoveExtended::Reply {};
}

Result<File::Close::Reply> OpenFile::on(File::Close const&)
{
    TRY(check_open());
    opening_->close();
    return File::Close::Reply {};
}

void OpenFile::on(File::Sync const& request, WaitingSyncs::OfFile asker)
{
    auto const open = check_open();
    auto const volume = served_.volume.lock();
    if (open && volume->writer()) {
        served_.syncs.add(*volume->writer(),
            request.kind == SyncKind::data ? Durable::contents : Durable::all, std::move(asker));
        return;
    }
    static_cast<void>(
        asker.reply(open ? Result<File::Sync::Reply>(File::Sync::Reply {}) : open.error()));
}

Result<File::Stat::Reply> OpenFile::on(File::Stat const& request)
{
    TRY(check_open());
    auto const answer = TRY(region_.at(request.answer));
    auto const volume = served_.volume.lock();
    auto const status = status_of(*volume, TRY(volume->inode(opening_->inode, InodeUse::any)));
    if (answer.size() < sizeof status)
        return Error::invalid;
    std::memcpy(answer.data(), &status, sizeof status);
    return File::Stat::Reply {};
}

Result<File::Attach::Reply> OpenFile::on(File::Attach request)
{
    TRY(check_open());
    auto region = TRY(SessionMemory::map(std::move(request.region)));
    auto file = make_ref<OpenFile>(served_, opening_, std::move(region));
    return File::Attach::Reply { TRY(served_.objects.publish<File>(std::move(file))) };
}

static_assert(Serves<OpenFile, File>);

} // namespace gemel::ext4
