// The numbers are the wire's. This holds them against servers/protocols/numbers.txt, so that a
// change shows in review.
#include "servers/protocols/all.hpp"
#include "servers/rt/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

namespace gemel {
namespace {

template <typename Codec>
struct Names;
template <typename T, typename List>
struct Names<Codec<T, List>> {
    static std::string text()
    {
        std::string out;
        for (auto const name : List::names)
            out += concatenate(out.empty() ? "" : ", ", name);
        return out;
    }
};

template <typename P>
std::string numbers_of()
{
    std::vector<std::pair<u16, std::string>> lines;
    P::Messages::any([&]<typename M>() {
        auto const request = Names<typename M::RequestCodec>::text();
        auto const reply = Names<typename M::ReplyCodec>::text();
        lines.emplace_back(M::number,
            concatenate(
                P::name, ' ', M::number, ' ', M::name, '(', request, ") -> (", reply, ")\n"));
        return false;
    });
    std::sort(lines.begin(), lines.end());
    std::string out;
    for (auto const& line : lines)
        out += line.second;
    return out;
}

template <typename... Protocols>
std::string all_numbers(std::tuple<Protocols...> const*)
{
    return (std::string() + ... + numbers_of<Protocols>());
}

} // namespace

// Goal: no number, name or member of a message changes unnoticed.
TEST(Protocols, NumbersAreAsWrittenDown)
{
    std::ifstream file { GEMEL_NUMBERS_FILE };
    std::ostringstream golden;
    golden << file.rdbuf();
    EXPECT_EQ(all_numbers(static_cast<protocol::All const*>(nullptr)), golden.str())
        << "if a message was added, add its line to servers/protocols/numbers.txt";
}

} // namespace gemel
