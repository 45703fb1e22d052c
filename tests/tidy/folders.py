"""Who may include whom: docs/style.md, "Direction"."""
import os

# What the kernel and the servers' shared base may use of the C++ library without a library behind it.
FREESTANDING = {
    "algorithm", "array", "atomic", "bit", "compare", "concepts", "cstddef", "cstdint", "cstring", "expected",
    "initializer_list", "iterator", "limits", "memory", "new", "numeric", "optional", "span", "string_view",
    "tuple", "type_traits", "utility", "variant", "functional", "ranges", "source_location",
}


# A server that includes another's header, and why.
EXCEPTIONS = {
    ("servers/gsh/", "servers/tools/list.hpp"),  # `help` and completion know the commands by one list
}


def top_two(path):
    return "/".join(path.split("/")[:2])


def is_test(path):
    return path.endswith(("_test.cpp", "_test.hpp", "_fuzz.cpp")) or "/tests/" in path or "/test/" in path


def may_include(path, quote, target):
    if is_test(path):
        return True
    if quote == "<":
        return may_include_system(path, target)
    if not target.startswith(("core/", "arch/", "servers/", "sim/", "frontends/", "tests/", "examples/")):
        # A header beside the file itself, or one that the build generates.
        return "/" not in target and not path.startswith(("core/", "servers/"))
    if any(path.startswith(folder) and target == header for folder, header in EXCEPTIONS):
        return True
    return any(target.startswith(prefix) for prefix in allowed(path))


def may_include_system(path, target):
    if path.startswith("core/"):
        return target in FREESTANDING or target.startswith("gemel/arch/")
    return True


def allowed(path):
    """The folders whose headers the file may include."""
    if path.startswith("core/base/"):
        return ("core/base/", "core/abi/error.hpp")  # Result carries an Error
    if path.startswith("core/abi/"):
        return ("core/base/", "core/abi/")
    if path.startswith("core/"):
        return ("core/",)
    if path.startswith("servers/protocols/"):
        return ("core/base/", "core/abi/", "servers/protocols/", "servers/rt/")
    if path.startswith("servers/"):
        shared = ("core/base/", "core/abi/", "servers/protocols/", "servers/rt/", "servers/fskit/")
        return shared + (top_two(path) + "/",)
    if path.startswith("arch/"):
        return ("core/", top_two(path) + "/") + (("sim/", "servers/rt/") if path.startswith("arch/hosted/") else ())
    if path.startswith("sim/"):
        return ("core/", "sim/", "servers/protocols/")
    if path.startswith("examples/"):
        return ("core/base/", "core/abi/", "servers/protocols/", "servers/rt/", os.path.dirname(path) + "/")
    return ("core/", "arch/", "servers/", "sim/", "frontends/", "tests/")
