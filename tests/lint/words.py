"""Words that are not ours: usage words.py TOP.

The supervising process is the supervisor or the cluster primary, never a master. A path of somebody's machine
in a file is a thing that works there only. A TODO without an owner is nobody's.
"""

import re
import sys
from pathlib import Path

import tree

RULES = {
    re.compile(r"\bmasters?\b", re.IGNORECASE): "say supervisor or primary",
    re.compile(r"(?<![\w.$}/])/(work|root|home)/\w"): "a path of one machine",
    re.compile(r"\bTODO\b(?!\()"): "a TODO has an owner: TODO(name)",
    re.compile(r"^(<{7}|>{7}|={7})( |$)", re.MULTILINE): "a conflict that was not resolved",
}
# The lints name what they forbid; captured files are what they are; lock files are npm's.
EXEMPT = re.compile(r"^(tests/lint/|tests/fixtures/|tests/fuzz/corpus|LICENSE$|.*package-lock\.json$)")
# Names of others that hold such a word: a field of a protocol, an option of a program.
QUOTED = re.compile(r"`[^`\n]*`|isMaster|setupMaster|/root:|root/\.npmrc")


def check(top) -> list:
    problems = []
    for file in tree.files(top):
        if EXEMPT.match(file.as_posix()):
            continue
        try:
            text = (Path(top) / file).read_text()
        except UnicodeDecodeError:
            continue  # not a text
        bare = QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)
        for rule, why in RULES.items():
            for found in rule.finditer(bare):
                line = text.count("\n", 0, found.start()) + 1
                problems.append(f"{file}:{line}: {found[0].strip()!r}: {why}")
    return problems


if __name__ == "__main__":
    sys.exit(tree.report(check(sys.argv[1]), "words"))
