// A text file of bounded size. Before it would pass its bound it becomes PATH.1, that one PATH.2,
// and so on up to PATH.4; the oldest goes. The file is opened for each append: one that was
// removed, or whose file system was started again, costs nothing.
#pragma once

#include "servers/fskit/client.hpp"

namespace gemel::logfile {

class RotatingFile {
public:
    static constexpr unsigned older_max = 4;

    // `files` must outlive this.
    RotatingFile(fskit::Files& files, std::string path, u64 bytes_max)
        : files_(files)
        , path_(std::move(path))
        , bytes_max_(bytes_max)
    {
    }

    std::string const& path() const { return path_; }
    // Whether it can be opened for appending, or why not. Makes it.
    Result<void> check();
    // Whole lines, each in one file; a line longer than `bytes_max` has a file of its own. What was
    // written is taken from the front of `text`, on an error too.
    Result<void> append(std::string_view& text);

private:
    Result<fskit::OpenFile> open();
    Result<u64> whole_size(fskit::OpenFile& file);
    Result<void> write(fskit::OpenFile& file, u64 size, std::string_view lines);
    Result<void> rotate();
    std::string older(unsigned number) const;

    fskit::Files& files_;
    std::string path_;
    u64 bytes_max_;
    bool ends_line_ = false; // known of its last byte
};

} // namespace gemel::logfile
