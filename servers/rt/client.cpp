#include "servers/rt/client.hpp"

namespace gemel {

Result<void> outcome_of(Incoming const& reply)
{
    if (reply.operation() == 0)
        return {};
    if (reply.operation() > 0xFF)
        return Error::invalid_request;
    return static_cast<Error>(reply.operation());
}

Result<system::Message> call_raw(Handle const& to, Outgoing message, Deadline deadline)
{
    auto answer = system::port_call(to.value(), message.message(), deadline);
    // A peer that died or did not answer in time may have received the capabilities already.
    // Closing what is no longer ours is refused by its generation and harms nobody.
    if (answer)
        message.sent();
    return answer;
}

} // namespace gemel
