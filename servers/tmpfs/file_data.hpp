// The bytes of one file in memory: pages where something was written, holes elsewhere.
#pragma once

#include "core/base/result.hpp"
#include "servers/protocols/file_attributes.hpp"

#include <array>
#include <map>
#include <memory>
#include <span>

namespace gemel::tmpfs {

// What all files of one tmpfs may take together, in pages.
class PageBudget {
public:
    explicit PageBudget(u64 pages_max)
        : pages_max_(pages_max)
    {
    }
    Result<void> take();
    void give(u64 pages) { used_ -= pages; }
    u64 used() const { return used_; }
    u64 pages_max() const { return pages_max_; }

private:
    u64 pages_max_;
    u64 used_ = 0;
};

class FileData {
public:
    explicit FileData(PageBudget& budget)
        : budget_(budget)
    {
    }
    FileData(FileData const&) = delete;
    FileData& operator=(FileData const&) = delete;
    ~FileData() { budget_.give(pages_.size()); }

    u64 size() const { return size_; }
    u64 pages() const { return pages_.size(); }

    usize read(u64 offset, std::span<std::byte> into) const;
    // Short when the budget ends; no_space when not one byte fits; too_big past 2^63 - 1.
    Result<usize> write(u64 offset, std::span<std::byte const> from);
    Result<void> resize(u64 size);
    // As File::Seek.
    Result<u64> seek(u64 offset, SeekKind kind) const;

private:
    using Page = std::array<std::byte, page_bytes>;
    Result<std::byte*> page_at(u64 number);

    PageBudget& budget_;
    std::map<u64, std::unique_ptr<Page>> pages_;
    u64 size_ = 0;
};

} // namespace gemel::tmpfs
