"""What the pure layers call: usage purity.py NM libnodeinit_base.a libnodeinit_wire.a libnodeinit_core_….a

Reads the undefined symbols of the archives and fails on every one that is not known to compute only. The pure
layers thereby give the same output for the same input for ever, and their tests need no world.
"""

import collections
import functools
import re
import subprocess
import sys

import tree

# C functions and objects that compute, and nothing else (strtod: nobody here sets a locale).
PURE_C = set(
    """abort free malloc calloc realloc
    memchr memcmp memcpy memmove memset strchr strcmp strlen strncmp strnlen strrchr
    __memcpy_chk __memmove_chk __memset_chk
    ceil ceilf exp exp2 floor floorf fmod frexp ldexp llround log log10 log2 lround modf pow round rint sqrt strtod trunc
    isalnum isalpha isdigit isspace isxdigit tolower toupper
    __cxa_allocate_exception __cxa_atexit __cxa_bad_cast __cxa_begin_catch __cxa_call_unexpected
    __cxa_call_terminate __cxa_end_catch __cxa_free_exception __cxa_get_exception_ptr __cxa_guard_abort
    __cxa_guard_acquire __cxa_guard_release __cxa_init_primary_exception __cxa_pure_virtual __cxa_rethrow
    __cxa_throw __cxa_throw_bad_array_new_length __dso_handle __dynamic_cast __gxx_personality_v0
    __assert_fail __libc_single_threaded _GLOBAL_OFFSET_TABLE_ _Unwind_Resume __stack_chk_fail __tls_get_addr __errno_location
    __addtf3 __divtf3 __eqtf2 __extenddftf2 __fixtfsi __floatsitf __getf2 __gttf2 __letf2 __lttf2 __multf3
    __netf2 __subtf3 __trunctfdf2 __udivti3 __umodti3 __divti3 __modti3 __popcountdi2""".split()
)
# The parsers of formats, which only wire may include (tests/lint/includes.py): text in, values out. Not the
# functions of theirs that open files.
PARSERS = re.compile(r"(json_(?!load_file|loadfd|dump_file|dumpfd|load_callback$)\w+|jsonp_\w+|http_\w+|yaml_(?!parser_set_input_file)\w+)")
SANITIZERS = re.compile(r"__(asan|ubsan|lsan|sanitizer|tsan|msan|sancov|gcov|llvm)_\w*|_?__sanitizer_\w*")

# C++ functions: ours and the libraries', but in the standard library nothing that is a clock, chance, a file,
# a stream, a thread, the locale or the environment.
PURE_CPP_OURS = re.compile(r"^(non-virtual thunk to )?((vtable|typeinfo|typeinfo name|VTT|guard variable) for )?"
                           r"[^()]*?\b(ni::(?!sys|loop|app)|fmt::|toml::)")  # fmt: skip
PURE_STD = re.compile(r"\b(std::|__gnu_cxx::|__cxxabiv1::|operator (new|delete))")
WORLDLY_STD = re.compile(
    r"_clock::now|random_device|\bstd::(__cxx11::)?(basic_|w)?[io]?f?(stream|filebuf)|std::c(out|err|in|log)\b"
    r"|std::(thread|this_thread|mutex|condition_variable|future|promise|async|jthread)|filesystem::"
    r"|std::(__cxx11::)?locale|ios_base::Init|getenv|generic_category|system_category"
)
# Allowed although it matches above: naming an errno is a table (strerror), it changes nothing.
NAMED_ERRORS = re.compile(r"std::_V2::(generic|system)_category")

# fmt's own failed assertion says so and aborts; it prints what it cannot format by snprintf. Header-only, it is in
# our archives: these are allowed in a section of a function of fmt's (-ffunction-sections) and nowhere else.
OF_FMT = {"fprintf", "__fprintf_chk", "stderr", "snprintf", "__snprintf_chk", "fwrite"}

# What one file may do besides.
EXCEPTIONS = {
    "assert.cpp.o": {"fprintf", "stderr", "__fprintf_chk", "fwrite", "abort"},
    # std::shared_ptr, which toml++ keeps a file's name in, asks whether its count needs to be atomic.
    "settings_file.cpp.o": {"__libc_single_threaded"},
    "result.cpp.o": {"strerror", "strerror_r", "strerrordesc_np", "strerrorname_np", "__xpg_strerror_r"},
}


def check(nm, archives) -> list:
    defined, wanted = set(), []
    for archive in archives:
        listing = subprocess.run([nm, "-A", "-P", archive], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            # libnodeinit_core.a[plan.cpp.o]: _ZN2ni... T 0 1a
            where, symbol, kind = re.match(r".*\[(.*?)\]: (\S+) (\S)", line).groups()
            if kind in "Uwv":
                wanted.append((archive, where, symbol))
            else:
                defined.add(symbol)
    missing = [item for item in wanted if item[2] not in defined]
    names = _demangle([symbol for _, _, symbol in missing])
    problems = {
        f"{archive.rsplit('/', 1)[-1]}({where}) uses {name}"
        for (archive, where, symbol), name in zip(missing, names)
        if not _pure(symbol, name)
        and symbol not in EXCEPTIONS.get(where, ())
        and not (symbol in OF_FMT and _only_in_fmt(archive, where, symbol))
    }
    return sorted(problems)


def _only_in_fmt(archive, member, symbol) -> bool:
    # .rela.text._ZN3fmt2v96detail11assert_fail…, .rela.text.unlikely._ZN3fmt…
    of_fmt = re.compile(r"\.rela\.(text(\.\w+)?\._ZNK?3fmt|debug|eh_frame)")
    return all(of_fmt.match(section) for section in _sections_by_use(archive)[member, symbol])


@functools.lru_cache
def _sections_by_use(archive) -> dict:
    listing = subprocess.run(["readelf", "-rW", archive], capture_output=True, text=True, check=True).stdout
    member, section, found = "", "", collections.defaultdict(set)
    for line in listing.splitlines():
        if line.startswith("File: "):
            member = line.rsplit("(", 1)[-1].rstrip(")")
        elif line.startswith("Relocation section"):
            section = line.split("'")[1]
        else:
            words = line.split()  # offset, info, type, value, name[, "-", addend]
            if len(words) >= 5:
                found[member, words[4]].add(section)
    return found


def _pure(symbol, name) -> bool:
    if not symbol.startswith("_Z"):
        return symbol in PURE_C or bool(PARSERS.fullmatch(symbol) or SANITIZERS.fullmatch(symbol))
    if NAMED_ERRORS.search(name):
        return True
    if WORLDLY_STD.search(name):
        return False
    return bool(PURE_CPP_OURS.search(name) or PURE_STD.search(name))


def _demangle(symbols) -> list:
    # c++filt stands beside nm in every binutils.
    done = subprocess.run(["c++filt"], input="\n".join(symbols), capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[: len(symbols)]


if __name__ == "__main__":
    sys.exit(tree.report(check(sys.argv[1], sys.argv[2:]), "purity"))
