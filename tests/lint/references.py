"""No comment and no document names what is not there: usage references.py TOP.

- A path written out (`src/core/sizing/plan.h`, "tests/simulation", `docker/README.md`) must exist; so must a Markdown
  link's target and its section.
- In comments of src, "core/…", "app/…" and the other layers name a file or a folder below src/ (its suffix may be left
  out).
- src/README.md, "Where is …?": each row names a file, and functions or names that the file has.
"""

import re
import sys
from pathlib import Path

import tree

LAYERS = "base|wire|core|sys|loop|app|inside"
# In a document: from the top of the repository.
WRITTEN = re.compile(r"(?<![\w/.~$}<-])((?:src|tests|docker)/[\w./+-]*[\w/+-])(?![\w*…{<$])")
# In a comment of the source: from src/. What begins with another word and a slash ("node lib/", "linux net/core/") is
# somebody else's.
COMMENT = re.compile(r"//(.*)")
IN_COMMENT = re.compile(rf"(?<![\w/.~-])((?:{LAYERS})/[a-z0-9_]+(?:/[a-z0-9_]+)*(?:\.(?:h|cpp|js|cjs))?)(?![\w/*…-])")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$", re.MULTILINE)
ROW = re.compile(r"^\|(?P<question>[^|]*)\|(?P<answer>[^|]*)\|$", re.MULTILINE)
QUOTED = re.compile(r"`([^`]+)`")


def check(top) -> list:
    top = Path(top)
    problems = []
    for name in tree.files(top):
        if name.suffix == ".md":
            problems += _document(top, name)
        elif name.suffix in (".h", ".cpp") and name.parts[0] == "src":
            problems += _comments(top, name)
    return problems + _where_is(top)


def _document(top, name):
    text = (top / name).read_text()
    problems = [
        f"{_at(name, text, found)}: {found[1]} does not exist"
        for found in WRITTEN.finditer(text)
        if not _exists(top, found[1])
    ]
    for found in LINK.finditer(text):
        target, _, section = found[1].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        page = (top / name).parent / target if target else top / name
        if not page.exists():
            problems.append(f"{_at(name, text, found)}: {target} does not exist")
        elif section and page.suffix == ".md" and section not in _sections(page):
            problems.append(f"{_at(name, text, found)}: {found[1]}: no such section")
    return problems


def _comments(top, name):
    text = (top / name).read_text()
    problems = []
    for comment in COMMENT.finditer(text):
        for found in IN_COMMENT.finditer(comment[1]):
            if not _exists(top / "src", found[1]):
                problems.append(f"{_at(name, text, comment)}: {found[1]} does not exist")
        for found in WRITTEN.finditer(comment[1]):
            # src/node.cc is Node's.
            if not found[1].endswith((".cc", ".c")) and not _exists(top, found[1]):
                problems.append(f"{_at(name, text, comment)}: {found[1]} does not exist")
    return problems


def _where_is(top):
    page = top / "src/README.md"
    if not page.is_file():
        return []
    text = page.read_text()
    begin = text.find("## Where is")
    if begin < 0:
        return []
    part = text[begin:].split("\n## ", 1)[0]
    problems = []
    for row in ROW.finditer(part):
        answer = QUOTED.findall(row["answer"])
        if row["answer"].strip(" -") == "" or not row["question"].strip(" -"):
            continue
        files = [top / "src" / word for word in answer if "/" in word]
        names = [word for word in answer if "/" not in word]
        missing = [file for file in files if not file.is_file()]
        problems += [f"src/README.md: {file.relative_to(top)} does not exist" for file in missing]
        if not files:
            if names:
                problems.append(f"src/README.md: no file is named for \"{row['question'].strip()}\"")
            continue
        code = "".join(file.read_text() for file in files if file not in missing)
        problems += [
            f"src/README.md: {word} is not in {', '.join(str(file.relative_to(top)) for file in files)}"
            for word in names
            if not all(re.search(rf"\b{re.escape(part)}\b", code) for part in word.removesuffix("()").split("::"))
        ]
    return problems


def _exists(top, path):
    path = path.rstrip("/")
    # A name without its suffix is that of a header and its source.
    return (top / path).exists() or any((top / (path + suffix)).exists() for suffix in (".h", ".cpp", ".py"))


def _sections(page):
    """The anchors that a forge makes of the headings."""
    made = set()
    for heading in HEADING.findall(page.read_text()):
        made.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return made


def _at(name, text, found):
    return f"{name}:{text.count(chr(10), 0, found.start()) + 1}"


if __name__ == "__main__":
    sys.exit(tree.report(check(sys.argv[1]), "references"))
