// What a debugger sends may be anything: bytes become packets or are thrown away, a packet becomes
// a request within bounds or none, and what is answered arrives as it was meant.
#include "frontends/travel/packets.hpp"
#include "frontends/travel/requests.hpp"
#include "tests/fuzz/target.hpp"

#include <cstdlib>
#include <unistd.h>

using namespace gemel;
using namespace gemel::travel;

namespace {

void expect(bool holds)
{
    if (!holds)
        std::abort();
}

// A pipe, and what its reader finds in it.
std::vector<std::string> packets_in(std::string_view bytes)
{
    int in[2];
    int out[2];
    expect(::pipe(in) == 0 && ::pipe(out) == 0);
    expect(::write(in[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    ::close(in[1]);
    std::vector<std::string> found;
    Packets packets { in[0], out[1] };
    while (auto packet = packets.next())
        found.push_back(std::move(*packet));
    expect(packets.interrupt()); // the other side is gone
    for (auto const descriptor : { in[0], out[0], out[1] })
        ::close(descriptor);
    return found;
}

void thread(std::string_view word)
{
    auto const thread = thread_of(word);
    if (thread)
        expect((thread->which == ThreadWord::Which::one) == (thread->id != 0));
}

void request(std::string const& packet)
{
    expect(packet.size() <= Packets::bytes_max);
    auto const words = std::string_view { packet }.substr(packet.empty() ? 0 : 1);
    thread(packet);
    thread(words);
    thread(words.substr(words.empty() ? 0 : 1));
    auto const numbers = numbers_of(words);
    expect(numbers.count <= Numbers::count_max);
    for (auto i = numbers.count; i < Numbers::count_max; ++i)
        expect(numbers.values[i] == 0);
    if (auto const resume = resume_of(packet)) {
        auto const again = resume_of(packet);
        expect(*again == *resume);
        auto const letter = packet[0];
        expect(letter == 'c' || letter == 's' || letter == 'C' || letter == 'S' || letter == 'b'
            || packet.starts_with("vCont;"));
    }
    (void)decimal(words);
    expect(text_of_hexadecimal(words).size() == words.size() / 2);
    expect(quoted_for_xml(packet).find_first_of("<>\"") == std::string::npos);
    auto const back = packets_in(Packets::framed(packet));
    expect(back.size() == 1 && back[0] == packet);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const bytes { reinterpret_cast<char const*>(data), size };
    for (auto const& packet : packets_in(bytes.substr(0, 4096)))
        request(packet);
    // As a packet with the right sum: what a debugger that errs would send.
    for (auto const& packet : packets_in(Packets::framed(bytes.substr(0, 4096))))
        request(packet);
    return 0;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds()
{
    std::vector<std::vector<std::uint8_t>> seeds;
    for (std::string_view const text :
        { "vCont;s:1c;c", "vCont;C05:-1;S0b:2", "Hg1c", "Hc-1", "T3ff", "qThreadExtraInfo,1c", "bs",
            "c", "S05", "p10", "m7ffff0000000,40", "Z2,200000000010,8",
            "qXfer:threads:read::0,1000", "qRcmd,676f746f2032", "$g#67$Hg0#df" })
        seeds.emplace_back(text.begin(), text.end());
    return seeds;
}
