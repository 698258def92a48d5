#!/usr/bin/python3
"""Completions for bash, zsh and fish, made from what the program's own --help says: usage completion.py NODEINIT FOLDER [--write].

Every option, with the words that it may have where these are a closed list; the verbs of `nodeinit ctl` and their options.
"""

import re
import subprocess
import sys
from pathlib import Path

SPACED = re.compile(r"^  (--[a-z-]+)(?: (\S+))?(?:  +(.*))?$")
VERB = re.compile(r"^  ([a-z][a-z0-9-]+)(?: (.+?))?  +(\S.*)$")
FIRST_SENTENCE = re.compile(r"^(.*?)(?:[;:(\[]| \[|$)")
PATHS = {"FILE", "PATH", "DIR", "PATH|off", "auto|PATH|off"}


def said(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout


class Option:
    def __init__(self, name, value, text):
        self.name, self.value, self.text = name, value or "", text

    def words(self):
        """The closed list of what it may be; empty: something else."""
        words = self.value.split("|")
        return [word for word in words if re.fullmatch("[a-z-]+", word)]

    def help(self):
        return FIRST_SENTENCE.match(self.text)[1].strip().replace("'", "")


def options_of(text):
    found, last = [], None
    for line in text.splitlines():
        match = SPACED.match(line)
        if match:
            last = Option(match[1], match[2], match[3] or "")
            found.append(last)
        elif last and line.startswith(" " * 28):
            last.text = f"{last.text} {line.strip()}".strip()
        else:
            last = None
    return found


def verbs_of(text):
    return [(match[1], match[2] or "", match[3].strip()) for line in text.splitlines() if (match := VERB.match(line))]


def words_of(arguments):
    """What may follow a verb: [--json], [live|ready]."""
    return re.findall(r"--[a-z]+|[a-z]+(?=[|\]])", arguments)


HEAD = "# Completion of nodeinit for {}. Made by tests/lint/completion.py from --help; not to be edited.\n"


def bash(options, verbs, ctl_options):
    closed = "\n".join(
        f"    {option.name}) COMPREPLY=($(compgen -W '{' '.join(option.words())}' -- \"$word\")) ;;"
        for option in options
        if option.words() and option.value not in PATHS
    )
    files = "|".join(option.name for option in options if option.value in PATHS)
    after = "\n".join(
        f"        {verb}) words='{' '.join(words_of(arguments))}' ;;"
        for verb, arguments, _ in verbs
        if words_of(arguments)
    )
    with_value = "|".join(option.name for option in options if option.value)
    return HEAD.format("bash") + f"""
_nodeinit() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} words at
  COMPREPLY=()
  if [ "${{COMP_WORDS[1]}}" = ctl ] && [ "$COMP_CWORD" -gt 1 ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then
      words='{' '.join(verb for verb, _, _ in verbs)}'
    else
      words=
      case ${{COMP_WORDS[2]}} in
{after}
        import-pm2) COMPREPLY=($(compgen -f -- "$word")); return ;;
      esac
      words="$words {' '.join(option.name for option in ctl_options)}"
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case $before in
{closed}
    {files}) COMPREPLY=($(compgen -f -- "$word")) ;;
    {with_value}) ;;
    *)
      # Behind the command its own words follow: files.
      for ((at = 1; at < COMP_CWORD; ++at)); do
        case ${{COMP_WORDS[at]}} in
          --) ;;
          {with_value}) ((++at)) ;;
          -*) ;;
          *) COMPREPLY=($(compgen -f -- "$word")); return ;;
        esac
      done
      case $word in
        -*) COMPREPLY=($(compgen -W '{' '.join(option.name for option in options)}' -- "$word")) ;;
        *) COMPREPLY=($(compgen -c -- "$word") $(compgen -W 'ctl' -- "$word")) ;;
      esac
      ;;
  esac
}}
complete -o default -F _nodeinit nodeinit
"""


def zsh(options, verbs, ctl_options):
    def value(option):
        if option.value in PATHS:
            return ":file:_files"
        return f":value:({' '.join(option.words())})" if option.words() else f":{option.value.lower()}:"

    def bare(text):
        return re.sub(r"([\[\]:])", r"\\\1", text)

    lines = [
        f"    '{option.name}[{bare(option.help())}]{value(option) if option.value else ''}' \\" for option in options
    ]
    told = [f"      '{verb}:{bare(text)}'" for verb, _, text in verbs]
    after = [
        f"      {verb}) _values 'what' {' '.join(words_of(arguments))} ;;"
        for verb, arguments, _ in verbs
        if words_of(arguments)
    ]
    flags = [f"      '{option.name}[{bare(option.help())}]:value:' \\" for option in ctl_options]
    return "#compdef nodeinit\n" + HEAD.format("zsh") + "\n" + "\n".join(
        ["_nodeinit_ctl() {", "  local -a verbs", "  if (( CURRENT == 2 )); then", "    verbs=(", *told, "    )",
         "    _describe 'verb' verbs", "  else", "    case $words[2] in", *after, "      import-pm2) _files ;;",
         "    esac", "    _arguments \\", *flags, "      '*:'", "  fi", "}", "",
         "_nodeinit() {", "  if (( CURRENT > 2 )) && [[ $words[2] == ctl ]]; then",
         "    shift words; (( CURRENT-- ))", "    _nodeinit_ctl; return", "  fi", "  _arguments -S \\", *lines,
         "    '(-):command:_command_names -e' \\", "    '*::arguments:_normal'", "}", "",
         "_nodeinit \"$@\"", ""])  # fmt: skip


def fish(options, verbs, ctl_options):
    def quoted(text):
        return "'" + text.replace("\\", "\\\\") + "'"

    lines = []
    for option in options:
        line = f"complete -c nodeinit -n 'not __fish_seen_subcommand_from ctl' -l {option.name[2:]}"
        if option.value in PATHS:
            line += " -r"
        elif option.words():
            line += f" -x -a {quoted(' '.join(option.words()))}"
        elif option.value:
            line += " -x"
        lines.append(f"{line} -d {quoted(option.help())}")
    names = " ".join(verb for verb, _, _ in verbs)
    inside = "__fish_seen_subcommand_from ctl; and "
    lines.append("complete -c nodeinit -n __fish_use_subcommand -a ctl -d 'talk to the running nodeinit'")
    for verb, arguments, text in verbs:
        lines.append(f"complete -c nodeinit -f -n '{inside}not __fish_seen_subcommand_from {names}' -a {verb} "
                     f"-d {quoted(text)}")  # fmt: skip
        if words_of(arguments):
            lines.append(f"complete -c nodeinit -f -n '{inside}__fish_seen_subcommand_from {verb}' "
                         f"-a {quoted(' '.join(words_of(arguments)))}")  # fmt: skip
    for option in ctl_options:
        lines.append(f"complete -c nodeinit -n '__fish_seen_subcommand_from ctl' -l {option.name[2:]} -x "
                     f"-d {quoted(option.help())}")  # fmt: skip
    return HEAD.format("fish") + "\n".join(lines) + "\n"


def main(words):
    program, folder, write = words[0], Path(words[1]), "--write" in words
    options = options_of(said(program, "--help"))
    told = said(program, "ctl", "help")
    parts = (options, verbs_of(told), options_of(told))
    problems = []
    for name, made in (("nodeinit.bash", bash), ("_nodeinit", zsh), ("nodeinit.fish", fish)):
        file, text = folder / name, made(*parts)
        if write:
            folder.mkdir(exist_ok=True)
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            problems.append(f"{file} differs from --help; cure: tests/lint/completion.py NODEINIT {folder} --write")
    print(*problems, f"completion: {len(problems)} problem(s)", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
