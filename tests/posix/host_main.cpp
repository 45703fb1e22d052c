// posix_suite DIR [--fuse]: the suite on an empty directory of the host, or of a mount of ours.
#include "tests/posix/host_backend.hpp"
#include "tests/posix/suite.hpp"

#include <cstdio>

int main(int count, char** words)
{
    using gemel::posix::Through;
    bool const fuse = count == 3 && std::string_view(words[2]) == "--fuse";
    if (count != 2 && !fuse) {
        std::fputs("usage: posix_suite DIR [--fuse]\n", stderr);
        return 1;
    }
    auto const backend = gemel::posix::host_backend(fuse ? Through::fuse : Through::kernel);
    gemel::posix::Suite suite(*backend, words[1]);
    gemel::posix::check_all(suite);
    return suite.finish() ? 0 : 2;
}
