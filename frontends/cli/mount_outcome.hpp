// How a mount ended, told by its process to every `gemel umount` that waits: through a socket whose
// name (unix(7), abstract) holds the mount's device number.
#pragma once

#include "frontends/cli/host_mount.hpp"

namespace gemel::cli {

// The mounting process's end. While it lives others may begin to wait.
class OutcomeTeller {
public:
    OutcomeTeller() = default;
    ~OutcomeTeller();
    OutcomeTeller(OutcomeTeller const&) = delete;
    OutcomeTeller& operator=(OutcomeTeller const&) = delete;

    // Where it cannot be opened nobody is told.
    void open(std::string const& device);
    // `failure` is empty, or what was not written and why.
    void tell(std::string const& failure);

private:
    int socket_ = -1;
};

// The other end; from before the unmount, or it would come too late.
class OutcomeWaiter {
public:
    enum class Kind {
        good,
        bad, // `failure` says why
        ended, // without a word
        late, // nothing within the time
        unknown, // there is nobody to ask
    };
    struct Outcome {
        Kind kind = Kind::unknown;
        std::string failure {};
    };

    explicit OutcomeWaiter(HostMount const& mount);
    ~OutcomeWaiter();
    OutcomeWaiter(OutcomeWaiter const&) = delete;
    OutcomeWaiter& operator=(OutcomeWaiter const&) = delete;

    // There is somebody to wait for.
    bool waits() const { return socket_ >= 0; }
    Outcome wait(int seconds_max);

private:
    int socket_ = -1;
};

} // namespace gemel::cli
