"""Which Node a package wants: `engines.node` of its package.json and of all that it depends on, as installed.

    excluding(home, package, version) -> str or None      "cookie wants >=22": the strictest that excludes the version
"""

import json
import re
from pathlib import Path


def excluding(home, package, version):
    wants = {}
    _collect(Path(home.folder).resolve() / "node_modules" / package, wants)
    against = {name: text for name, text in wants.items() if not allows(text, version)}
    if not against:
        return None
    own = against.get(package)  # its own word first
    name = package if own else max(against, key=lambda one: _numbers(against[one]))
    return f"{'' if own else name + ' '}wants {against[name]}".strip()


def allows(text, version):
    """Whether an npm range (alternatives by ||, comparators by space) has that version."""
    return any(all(_holds(one, version) for one in _comparators(part)) for part in text.split("||"))


def _comparators(part):
    return re.findall(r"(>=|<=|>|<|=|\^|~)?\s*v?([\dx*.]+)", part)


def _holds(comparator, version):
    sign, text = comparator
    wanted, have = _numbers(text), _numbers(version)
    if sign in (">=", "<=", ">", "<"):
        full = [(n + (0, 0, 0))[:3] for n in (have, wanted)]
        return {">=": full[0] >= full[1], "<=": full[0] <= full[1], ">": full[0] > full[1], "<": full[0] < full[1]}[sign]
    if sign == "^":
        return have >= wanted and have[0] == wanted[0]
    if sign == "~":
        return have >= wanted and have[:2] == wanted[:2]
    return have[: len(wanted)] == wanted  # 14, 14.x, *


def _numbers(text):
    return tuple(int(n) for n in re.findall(r"\d+", text.split("||")[0]))


def _collect(folder, wants):
    described = folder / "package.json"
    if not described.exists():
        return
    read = json.loads(described.read_text())
    if read["name"] in wants:
        return
    # A package without a word about it wants no particular Node.
    wants[read["name"]] = read.get("engines", {}).get("node", "*")
    for name in read.get("dependencies", {}):
        for above in (folder, *folder.parents):
            if (above / "node_modules" / name / "package.json").exists():
                _collect(above / "node_modules" / name, wants)
                break
