// A buffered stream of a program's output.
#pragma once

#include "servers/fskit/client.hpp"

namespace gemel::tools {

class Output {
public:
    static constexpr usize buffer_bytes = 32 * 1024;

    explicit Output(fskit::OpenFile file)
        : file_(std::move(file))
    {
    }
    // After a failure nothing is written any more; see error().
    void write(std::string_view text);
    void line(std::string_view text)
    {
        write(text);
        write("\n");
    }
    void flush();
    // A pipe without a reader is `dead`: then a program ends without a word.
    std::optional<Error> error() const { return error_; }
    fskit::OpenFile& file() { return file_; }
    void failed(Error error) { error_ = error; }

private:
    fskit::OpenFile file_;
    std::string buffer_;
    std::optional<Error> error_;
};

} // namespace gemel::tools
