"""Who may include whom: usage includes.py TOP.

base <- wire <- core are pure: C++ headers that neither ask the world nor write to it, fmt, and in wire the
parsers of formats. base <- sys; base, sys, wire <- loop; everything <- app. The rooms inside core and app, and
what each may use, stand in src/CMakeLists.txt. A header of ours is named from src/ and must exist.
"""

import re
import sys
from pathlib import Path

import tree

LAYERS = {
    "base": {"base"},
    "wire": {"base", "wire"},
    "core": {"base", "wire", "core"},
    "sys": {"base", "sys"},
    "loop": {"base", "wire", "sys", "loop"},
    "app": {"base", "wire", "core", "sys", "loop", "app"},
}
PURE = {"base", "wire", "core"}

# The libraries, and the layers which may see them.
LIBRARIES = {
    r"fmt/.*": set(LAYERS),
    r"http_parser\.h": {"wire"},
    r"yaml\.h": {"wire"},
    r"toml\+\+/.*": {"wire", "core", "app"},
    r"uv\.h": {"loop", "app"},
}

# C++ headers of values and algorithms.
PURE_STD = set(
    """algorithm any array atomic bit bitset cassert cctype cerrno charconv chrono climits cmath compare concepts
    csignal cstddef cstdint cstdlib cstring deque exception forward_list functional initializer_list iterator
    limits list map memory memory_resource new numbers numeric optional queue ranges ratio set span stack
    stdexcept string string_view system_error tuple type_traits typeinfo unordered_map unordered_set utility
    variant vector""".split()
)
# C++ headers that only the layers which touch the world may use.
WORLDLY_STD = set("cstdio ctime".split())
# Nobody: locale costs 600 KB of the program, threads and blocking files are not for PID 1.
BANNED = set(
    """iostream ostream istream fstream sstream iomanip iosfwd locale codecvt regex thread mutex shared_mutex
    condition_variable future semaphore latch barrier stop_token filesystem random coroutine valarray
    ctime.h stdio.h stdlib.h string.h""".split()
)
# assert.cpp says why the program aborts, and only in test builds.
EXCEPTIONS = {("src/base/assert.cpp", "cstdio")}

# What a file uses it must have from an #include of its own or of a header of ours: which header of the library
# brings which other one along changes from compiler to compiler.
PROVIDERS = {
    r"std::u?int(8|16|32|64|ptr|max)_t\b": "cstdint",
    r"std::array\b": "array",
    r"std::optional\b": "optional",
    r"std::span\b": "span",
    r"std::string\b": "string",
    r"std::string_view\b": "string_view",
    r"std::unique_ptr\b": "memory",
    r"std::variant\b": "variant",
    r"std::vector\b": "vector",
    r"std::map\b": "map",
    r"std::function\b": "functional",
    r"std::chrono::": "chrono",
    r"std::(ranges::)?(find_if|find|any_of|all_of|none_of|sort|count_if|min|max|clamp|max_element|min_element)\(":
        "algorithm",
    r"std::numeric_limits\b": "limits",
    r"std::exchange\(": "utility",
}

# Made by the build (src/inside/CMakeLists.txt), and who may see it.
GENERATED = {"inside_text.h": {"app"}}

# nodeinit_room(core/sizing core/command core/container)
ROOM = re.compile(r"^nodeinit_room\(([\w/]+)((?: [\w/]+)*)\)", re.MULTILINE)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
OTHER_WAY = re.compile(r"^[ \t]*#[ \t]*(include_next|import|include[ \t]+[^<\" \t])|^\s*import\s+[<\"\w]", re.MULTILINE)


def check(top) -> list:
    problems = []
    rooms = _rooms(Path(top))
    for file in tree.sources(top, folders=("src",), suffixes=(".h", ".cpp", ".hpp", ".inc", ".cc", ".c")):
        text = (Path(top) / file).read_text()
        layer = file.parts[1] if len(file.parts) > 2 else "app"  # main.cpp
        if layer not in LAYERS:
            problems.append(f"{file}: {layer}/ is not a layer")
            continue
        room = _room_of(file, rooms)
        for odd in OTHER_WAY.finditer(text):
            problems.append(f"{_at(file, text, odd)}: written so that it cannot be checked")
        for found in INCLUDE.finditer(text):
            why = _wrong(Path(top), file, layer, found[1] == '"', found[2])
            why = why or found[1] == '"' and _through_a_wall(room, _room_of(Path("src") / found[2], rooms), rooms)
            if why:
                problems.append(f"{_at(file, text, found)}: {found[2]}: {why}")
        had = _reachable(Path(top), file)
        code = re.sub(r"//.*", "", text)
        problems += [
            f"{file}: uses {found[0].rstrip('(')} without <{header}>"
            for use, header in PROVIDERS.items()
            if (found := re.search(use, code)) and header not in had
        ]
    return problems


def _rooms(top) -> dict:
    """Each room, and all that it may use: what the linker gives it."""
    build = top / "src/CMakeLists.txt"
    direct = {room: uses.split() for room, uses in ROOM.findall(build.read_text() if build.is_file() else "")}

    def closure(room):
        return {room}.union(*(closure(used) for used in direct[room]))

    return {room: closure(room) for room in direct}


def _room_of(file, rooms):
    """The deepest room that the file, named from the top, lies in; None: in none."""
    folders = [parent.relative_to("src").as_posix() for parent in file.parents if parent.parts[:1] == ("src",)]
    return next((folder for folder in folders if folder in rooms), None)


def _through_a_wall(room, used, rooms):
    if room is None or used is None or used in rooms[room]:
        return None
    return f"{room} may not use {used} (src/CMakeLists.txt)"


def _reachable(top, file) -> set:
    seen, headers, queue = set(), set(), [file]
    while queue:
        path = queue.pop()
        if path in seen or not (top / path).is_file():
            continue
        seen.add(path)
        for mark, header in INCLUDE.findall((top / path).read_text()):
            if mark == '"':
                queue.append(Path("src") / header)
            else:
                headers.add(header)
    return headers


def _wrong(top, file, layer, ours, header):
    if ours and header in GENERATED:
        return None if layer in GENERATED[header] else f"this header is not for {layer}"
    if ours:
        if not (top / "src" / header).is_file() or ".." in header:
            return "no such file; name it from src/, as in core/worker.h"
        owner = header.split("/")[0]
        return None if owner in LAYERS[layer] else f"{layer} may not use {owner}"
    for pattern, allowed in LIBRARIES.items():
        if re.fullmatch(pattern, header):
            return None if layer in allowed else f"this library is not for {layer}"
    if header in BANNED:
        return "used nowhere in this program"
    if layer not in PURE or header in PURE_STD or (str(file), header) in EXCEPTIONS:
        return None
    if header in WORLDLY_STD:
        return f"{layer} is pure: it may not ask the world nor write to it"
    return f"{layer} is pure: only C++ headers of values and algorithms"


def _at(file, text, found):
    return f"{file}:{text.count(chr(10), 0, found.start()) + 1}"


if __name__ == "__main__":
    sys.exit(tree.report(check(sys.argv[1]), "includes"))
