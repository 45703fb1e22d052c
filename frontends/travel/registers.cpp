#include "frontends/travel/registers.hpp"

#include <cstring>

namespace gemel::travel {

namespace {

struct General {
    char const* name;
    char const* type;
    u32 bits;
    unsigned long long user_regs_struct::*word;
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
    for (u32 i = 0; i < 8; ++i)
        xml += described("st" + std::to_string(i), "i387_ext", 80);
    for (auto const* name : fpu_words)
        xml += described(name, "int", 32);
    xml += "</feature>\n<feature name=\"org.gnu.gdb.i386.sse\">";
    xml += vector_types;
    for (u32 i = 0; i < 16; ++i)
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
    for (u32 i = 0; i < 8; ++i)
        text += hexadecimal({ stack + 16 * i, 10 });
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

} // namespace gemel::travel
