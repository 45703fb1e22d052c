#include "frontends/travel/registers.hpp"

#include <cstring>
#include <iterator>
#include <optional>

namespace gemel::travel {

namespace {

using Word = unsigned long long user_regs_struct::*;

struct General {
    char const* name;
    char const* type;
    u32 bits;
    Word word;
};

// In gdb's order.
constexpr General general[] = {
    { "rax", "int64", 64, &user_regs_struct::rax },
    { "rbx", "int64", 64, &user_regs_struct::rbx },
    { "rcx", "int64", 64, &user_regs_struct::rcx },
    { "rdx", "int64", 64, &user_regs_struct::rdx },
    { "rsi", "int64", 64, &user_regs_struct::rsi },
    { "rdi", "int64", 64, &user_regs_struct::rdi },
    { "rbp", "data_ptr", 64, &user_regs_struct::rbp },
    { "rsp", "data_ptr", 64, &user_regs_struct::rsp },
    { "r8", "int64", 64, &user_regs_struct::r8 },
    { "r9", "int64", 64, &user_regs_struct::r9 },
    { "r10", "int64", 64, &user_regs_struct::r10 },
    { "r11", "int64", 64, &user_regs_struct::r11 },
    { "r12", "int64", 64, &user_regs_struct::r12 },
    { "r13", "int64", 64, &user_regs_struct::r13 },
    { "r14", "int64", 64, &user_regs_struct::r14 },
    { "r15", "int64", 64, &user_regs_struct::r15 },
    { "rip", "code_ptr", 64, &user_regs_struct::rip },
    { "eflags", "i386_eflags", 32, &user_regs_struct::eflags },
    { "cs", "int32", 32, &user_regs_struct::cs },
    { "ss", "int32", 32, &user_regs_struct::ss },
    { "ds", "int32", 32, &user_regs_struct::ds },
    { "es", "int32", 32, &user_regs_struct::es },
    { "fs", "int32", 32, &user_regs_struct::fs },
    { "gs", "int32", 32, &user_regs_struct::gs },
};
// Behind the FPU's.
constexpr General last[] = {
    { "orig_rax", "int64", 64, &user_regs_struct::orig_rax },
    { "fs_base", "int64", 64, &user_regs_struct::fs_base },
    { "gs_base", "int64", 64, &user_regs_struct::gs_base },
};

constexpr char const* fpu_words[]
    = { "fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop" };

constexpr u32 fpu_registers = 8;
constexpr u32 stack_bytes = 10; // of each of these
constexpr u32 vector_registers = 16;
constexpr u32 vector_bytes = 16;

// What a switch of stacks saves.
bool is_saved(Word word)
{
    for (auto const each : { &user_regs_struct::rbx, &user_regs_struct::rbp, &user_regs_struct::rsp,
             &user_regs_struct::r12, &user_regs_struct::r13, &user_regs_struct::r14,
             &user_regs_struct::r15, &user_regs_struct::rip })
        if (word == each)
            return true;
    return false;
}

// What all threads share.
bool is_hosts(Word word)
{
    for (auto const each : { &user_regs_struct::cs, &user_regs_struct::ss, &user_regs_struct::ds,
             &user_regs_struct::es, &user_regs_struct::fs, &user_regs_struct::gs })
        if (word == each)
            return true;
    return false;
}

constexpr char const* types = R"(<flags id="i386_eflags" size="4">
<field name="" start="22" end="31"/><field name="CF" start="0" end="0"/>
<field name="PF" start="2" end="2"/><field name="AF" start="4" end="4"/>
<field name="ZF" start="6" end="6"/><field name="SF" start="7" end="7"/>
<field name="TF" start="8" end="8"/><field name="IF" start="9" end="9"/>
<field name="DF" start="10" end="10"/><field name="OF" start="11" end="11"/>
</flags>)";

constexpr char const* vector_types = R"(<vector id="v4f" type="ieee_single" count="4"/>
<vector id="v2d" type="ieee_double" count="2"/><vector id="v16i8" type="int8" count="16"/>
<vector id="v8i16" type="int16" count="8"/><vector id="v4i32" type="int32" count="4"/>
<vector id="v2i64" type="int64" count="2"/><union id="vec128">
<field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>
<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/>
<field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/>
<field name="uint128" type="uint128"/></union>)";

std::string described(std::string const& name, std::string const& type, u32 bits)
{
    return "<reg name=\"" + name + "\" bitsize=\"" + std::to_string(bits) + "\" type=\"" + type
        + "\"/>\n";
}

void put_word(std::string& text, u64 value, u32 bits)
{
    u8 bytes[8];
    std::memcpy(bytes, &value, sizeof bytes);
    text += hexadecimal({ bytes, bits / 8 });
}

// The tag word that FXSAVE abridges: empty is 3, and what is there is called valid.
u64 tag_word(u16 abridged)
{
    u64 tags = 0;
    for (u32 i = 0; i < 8; ++i)
        tags |= (abridged >> i & 1) != 0 ? 0 : u64 { 3 } << (2 * i);
    return tags;
}

} // namespace

std::string hexadecimal(std::span<u8 const> bytes)
{
    constexpr char const* digits = "0123456789abcdef";
    std::string text;
    for (auto const byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string target_description()
{
    std::string xml = "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>"
                      "<architecture>i386:x86-64</architecture><osabi>GNU/Linux</osabi>\n"
                      "<feature name=\"org.gnu.gdb.i386.core\">";
    xml += types;
    for (auto const& word : general)
        xml += described(word.name, word.type, word.bits);
    for (u32 i = 0; i < fpu_registers; ++i)
        xml += described("st" + std::to_string(i), "i387_ext", 80);
    for (auto const* name : fpu_words)
        xml += described(name, "int", 32);
    xml += "</feature>\n<feature name=\"org.gnu.gdb.i386.sse\">";
    xml += vector_types;
    for (u32 i = 0; i < vector_registers; ++i)
        xml += described("xmm" + std::to_string(i), "vec128", 128);
    xml += described("mxcsr", "int", 32);
    xml += "</feature>\n<feature name=\"org.gnu.gdb.i386.linux\">"
        + described(last[0].name, last[0].type, last[0].bits)
        + "</feature>\n<feature name=\"org.gnu.gdb.i386.segments\">"
        + described(last[1].name, last[1].type, last[1].bits)
        + described(last[2].name, last[2].type, last[2].bits) + "</feature>\n</target>\n";
    return xml;
}

std::string register_text(Tracee const& process)
{
    auto const registers = process.registers();
    auto const fpu = process.float_registers();
    std::string text;
    for (auto const& word : general)
        put_word(text, registers.*word.word, word.bits);
    auto const* stack = reinterpret_cast<u8 const*>(fpu.st_space);
    for (u32 i = 0; i < fpu_registers; ++i)
        text += hexadecimal({ stack + 16 * i, stack_bytes });
    u64 const words[] = { fpu.cwd, fpu.swd, tag_word(fpu.ftw), fpu.rip >> 32, fpu.rip,
        fpu.rdp >> 32, fpu.rdp, fpu.fop };
    for (auto const word : words)
        put_word(text, word, 32);
    text += hexadecimal({ reinterpret_cast<u8 const*>(fpu.xmm_space), sizeof fpu.xmm_space });
    put_word(text, fpu.mxcsr, 32);
    for (auto const& word : last)
        put_word(text, registers.*word.word, word.bits);
    return text;
}

std::string register_text(
    Tracee const& process, hosted::SavedContext const& saved, u64 stack_pointer)
{
    auto const of_host = process.registers();
    user_regs_struct known {};
    known.rbx = saved.rbx;
    known.rbp = saved.rbp;
    known.rsp = stack_pointer;
    known.r12 = saved.r12;
    known.r13 = saved.r13;
    known.r14 = saved.r14;
    known.r15 = saved.r15;
    known.rip = saved.rip;
    std::string text;
    for (auto const& word : general) {
        auto const bytes = word.bits / 8;
        if (is_saved(word.word))
            put_word(text, known.*word.word, word.bits);
        else if (is_hosts(word.word))
            put_word(text, of_host.*word.word, word.bits);
        else
            text.append(2 * bytes, 'x');
    }
    text.append(2 * stack_bytes * fpu_registers, 'x');
    put_word(text, saved.fctrl, 32);
    text.append(2 * 4 * (std::size(fpu_words) - 1), 'x');
    text.append(2 * vector_bytes * vector_registers, 'x');
    put_word(text, saved.mxcsr, 32);
    put_word(text, ~u64 { 0 }, 64); // no system call is to be begun again
    put_word(text, of_host.fs_base, 64);
    put_word(text, of_host.gs_base, 64);
    return text;
}

std::string one_register(std::string const& all, u64 number)
{
    usize at = 0;
    auto const skip = [&](usize count, usize bytes) -> std::optional<std::string> {
        if (number < count)
            return all.substr(at + 2 * bytes * number, 2 * bytes);
        number -= count;
        at += 2 * bytes * count;
        return std::nullopt;
    };
    for (auto const& word : general)
        if (auto const found = skip(1, word.bits / 8))
            return *found;
    if (auto const found = skip(fpu_registers, stack_bytes))
        return *found;
    if (auto const found = skip(std::size(fpu_words), 4))
        return *found;
    if (auto const found = skip(vector_registers, vector_bytes))
        return *found;
    if (auto const found = skip(1, 4))
        return *found;
    return skip(std::size(last), 8).value_or("");
}

} // namespace gemel::travel
