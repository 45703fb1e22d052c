#include "servers/ext4/extended.hpp"

#include "servers/ext4/access_list.hpp"
#include "servers/ext4/value_inode.hpp"

#include <array>

namespace gemel::ext4 {

namespace {

constexpr u16 permission_bits = 0777;

struct Prefix {
    std::string_view text;
    NameSpace space;
};

constexpr std::array prefixes {
    Prefix { "system.posix_acl_access", NameSpace::access_acl },
    Prefix { "system.posix_acl_default", NameSpace::default_acl },
    Prefix { "user.", NameSpace::user },
    Prefix { "trusted.", NameSpace::trusted },
    Prefix { "security.", NameSpace::security },
};

bool is_list(NameSpace space)
{
    return space == NameSpace::access_acl || space == NameSpace::default_acl;
}

AttributeName name_of_list(NameSpace space)
{
    return { space, {} };
}

Result<void> check_kind(Inode const& inode, NameSpace space)
{
    bool const plain = inode.type() == FileType::regular || inode.is_directory();
    if (space == NameSpace::user && !plain)
        return Error::no_rights;
    if (is_list(space) && inode.type() == FileType::symbolic_link)
        return Error::unsupported;
    if (space == NameSpace::default_acl && !inode.is_directory())
        return Error::no_rights;
    return {};
}

// In the inode, in its block, or else in an inode of its own.
Result<void> put_value(Disk& disk, AttributeStore& store, Inode& inode, Attribute const& attribute)
{
    auto const put = store.set(attribute);
    if (put || put.error() != Error::no_space || !disk.super().has(Incompatible::ea_inode))
        return put;
    return store.set(TRY(move_value_out(disk, inode, attribute)));
}

Result<AccessList> stored_list(Disk& disk, Inode const& inode, Bytes bytes)
{
    auto list = AccessList::from_disk(bytes);
    if (!list)
        return disk.corrupt("inode ", inode.number, ": its access control list makes no sense");
    return list;
}

void take_permissions(Inode& inode, AccessList const& list)
{
    inode.mode = static_cast<u16>((inode.mode & ~permission_bits) | list.permissions());
}

// An access list that says no more than the permission bits is not kept.
Result<void> put_list(
    Disk& disk, AttributeStore& store, Inode& inode, NameSpace space, AccessList const& list)
{
    if (space == NameSpace::access_acl) {
        take_permissions(inode, list);
        if (list.is_only_permissions()) {
            store.remove(name_of_list(space));
            return {};
        }
    }
    return put_value(disk, store, inode, { name_of_list(space), list.for_disk() });
}

} // namespace

Result<AttributeName> parse_attribute_name(std::string_view name)
{
    if (name.empty() || name.size() > attribute_name_bytes_max)
        return Error::invalid;
    for (auto const& prefix : prefixes) {
        if (is_list(prefix.space) ? name != prefix.text : !name.starts_with(prefix.text))
            continue;
        name.remove_prefix(prefix.text.size());
        if (name.empty() && !is_list(prefix.space))
            return Error::invalid;
        return AttributeName { prefix.space, std::string(name) };
    }
    return Error::unsupported;
}

Result<std::vector<u8>> get_extended(Disk& disk, Inode const& inode, std::string_view name)
{
    auto const wanted = TRY(parse_attribute_name(name));
    auto const store = TRY(AttributeStore::load(disk, inode));
    auto const* const found = store.find(wanted);
    if (!found)
        return Error::no_attribute;
    auto value = TRY(value_of(disk, inode, *found));
    if (is_list(wanted.space))
        return TRY(stored_list(disk, inode, value)).for_program();
    return value;
}

Result<std::string> list_extended(Disk& disk, Inode const& inode)
{
    auto const store = TRY(AttributeStore::load(disk, inode));
    std::string names;
    for (auto const* const place : { &store.in_inode(), &store.in_block() }) {
        for (auto const& each : *place) {
            for (auto const& prefix : prefixes) {
                if (prefix.space == each.name.space)
                    names.append(prefix.text).append(each.name.rest).push_back('\0');
            }
        }
    }
    return names;
}

Result<void> set_extended(
    Disk& disk, Inode& inode, std::string_view name, Bytes value, AttributeMode mode)
{
    auto wanted = TRY(parse_attribute_name(name));
    TRY(check_kind(inode, wanted.space));
    if (value.size() > value_bytes_max)
        return Error::too_big;
    auto store = TRY(AttributeStore::load(disk, inode));
    auto const* const found = store.find(wanted);
    if (found && mode == AttributeMode::create)
        return Error::exists;
    if (!found && mode == AttributeMode::replace)
        return Error::no_attribute;
    if (is_list(wanted.space))
        TRY(put_list(disk, store, inode, wanted.space, TRY(AccessList::from_program(value))));
    else
        TRY(put_value(disk, store, inode, { std::move(wanted), { value.begin(), value.end() } }));
    return store.save(inode);
}

Result<void> remove_extended(Disk& disk, Inode& inode, std::string_view name)
{
    auto const wanted = TRY(parse_attribute_name(name));
    auto store = TRY(AttributeStore::load(disk, inode));
    if (!store.remove(wanted))
        return Error::no_attribute;
    return store.save(inode);
}

Result<Progress> let_go_of_values(Disk& disk, Inode& inode)
{
    if (!disk.super().has(Incompatible::ea_inode))
        return Progress::done;
    return TRY(AttributeStore::load(disk, inode)).let_go_of_values(inode);
}

Result<void> inherit_access_list(Disk& disk, Inode const& directory, Inode& inode)
{
    if (inode.type() == FileType::symbolic_link)
        return {};
    auto const parent = TRY(AttributeStore::load(disk, directory));
    auto const* const given = parent.find(name_of_list(NameSpace::default_acl));
    if (!given)
        return {};
    auto list = TRY(stored_list(disk, directory, TRY(value_of(disk, directory, *given))));
    auto store = TRY(AttributeStore::load(disk, inode));
    if (inode.is_directory())
        TRY(put_list(disk, store, inode, NameSpace::default_acl, list));
    list.restrict_to(inode.mode);
    TRY(put_list(disk, store, inode, NameSpace::access_acl, list));
    return store.save(inode);
}

Result<void> follow_permissions(Disk& disk, Inode& inode)
{
    if (inode.type() == FileType::symbolic_link)
        return {};
    auto store = TRY(AttributeStore::load(disk, inode));
    auto const* const found = store.find(name_of_list(NameSpace::access_acl));
    if (!found)
        return {};
    auto list = TRY(stored_list(disk, inode, TRY(value_of(disk, inode, *found))));
    list.set_permissions(inode.mode);
    TRY(put_list(disk, store, inode, NameSpace::access_acl, list));
    return store.save(inode);
}

} // namespace gemel::ext4
