"""Generator of the completions for bash, zsh and fish in contrib/completions: `python -m contrib.completions`.

The frame of each script stands in contrib/completions/*.in; the arguments of the verbs come from the command line's own
tables. Interfaces, namespaces, maps, themes of your own and files are looked up when the shell completes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from bpftop.cli.verb_table import GROUPS, VALUE_OPTIONS, VERBS
from contrib.command_line import FILES, RECORDINGS, Argument, Command, commands, theme_names

FOLDER = Path(__file__).with_name("completions")


def texts() -> Iterator[tuple[Path, str]]:
    """Generate every script: its path and its text."""
    parsed = commands()
    for shell, name, generate in (
        ("bash", "bpftop", _bash),
        ("zsh", "_bpftop", _zsh),
        ("fish", "bpftop.fish", _fish),
    ):
        frame = (FOLDER / f"{shell}.in").read_text()
        for key, value in {
            "@HEAD@": "# Made by contrib/completions.py from the tables of the command line; do not edit.",
            "@VERBS@": " ".join(VERBS),
            "@THEMES@": " ".join(theme_names()),
            "@VALUE_OPTIONS@": "|".join(sorted(VALUE_OPTIONS)),
            "@COMMANDS@": "\n".join(generate(parsed)),
        }.items():
            frame = frame.replace(key, value)
        yield FOLDER / shell / name, frame


def _bash(parsed: Mapping[str, Command]) -> Iterator[str]:
    for verb, command in parsed.items():
        yield f"    {verb})"
        yield f"        options='{' '.join(flag for option in command.options for flag in option.flags)}'"
        yield f"        values={shlex.quote(_bash_values(command.operands[0])) if command.operands else 'none'}"
        yield '        case "$option" in'
        for option in command.options:
            if option.metavar:
                yield f"        {' | '.join(option.flags)}) values={shlex.quote(_bash_values(option))} ;;"
        yield "        esac"
        yield "        ;;"


def _bash_values(argument: Argument) -> str:
    if argument.words:
        return f"{'list' if argument.separated else 'words'} {' '.join(argument.words)}"
    return argument.kind or "none"


def _zsh(parsed: Mapping[str, Command]) -> Iterator[str]:
    yield "_bpftop_verbs() {"
    yield "    local -a verbs=("
    for group in GROUPS:
        yield from (f"        {shlex.quote(f'{name}:{verb.summary}')}" for name, verb in group.verbs.items())
    yield from ("    )", "    _describe -t commands command verbs", "}")
    for verb, command in parsed.items():
        yield from ("", f"_bpftop_{verb}() {{", "    _arguments -S \\")
        specs = [_zsh_option(option) for option in command.options]
        specs += [_zsh_operand(operand) for operand in command.operands]
        yield from (f"        {spec} \\" for spec in specs[:-1])
        yield from (f"        {specs[-1]}", "}")


def _zsh_option(option: Argument) -> str:
    """Return the specification of an option; the flags of one option exclude each other."""
    excluded = f"({' '.join(option.flags)})" if len(option.flags) > 1 else ""
    flags = f"'{excluded}'{{{','.join(option.flags)}}}" if excluded else option.flags[0]
    value = f":{_zsh_text(option.metavar)}:{_zsh_values(option)}" if option.metavar else ""
    return f"{flags}{shlex.quote(f'[{_zsh_text(option.help)}]{value}')}"


def _zsh_operand(operand: Argument) -> str:
    begin = "*" if operand.repeated else "1" if operand.metavar != "B" else "2"
    return shlex.quote(f"{begin}:{_zsh_text(operand.metavar)}:{_zsh_values(operand)}")


def _zsh_values(argument: Argument) -> str:
    words = " ".join(argument.words)
    if argument.separated:
        return f"_sequence compadd - {words}" if words else " "
    return f"({words})" if words else f"_bpftop_known_{argument.kind}" if argument.kind else " "


def _zsh_text(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\:[]" else character for character in text)


def _fish(parsed: Mapping[str, Command]) -> Iterator[str]:
    for verb, entry in VERBS.items():
        yield f"complete -c bpftop -n '__bpftop_is none' -a {verb} -d {_fish_text(entry.summary)}"
    verbs_of: dict[str, list[str]] = {}  # most completions are common to several verbs
    for verb, command in parsed.items():
        completions = [_fish_option(option) for option in command.options]
        completions += [_fish_values(operand, "") for operand in command.operands[:1]]
        for completion in completions:
            verbs_of.setdefault(completion, []).append(verb)
    for completion, verbs in verbs_of.items():
        yield f"complete -c bpftop -n '__bpftop_is {' '.join(verbs)}'{completion}"


def _fish_option(option: Argument) -> str:
    flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
    return f" {flags}{_fish_values(option, ' -x') if option.metavar else ''} -d {_fish_text(option.help)}"


def _fish_values(argument: Argument, exclusive: str) -> str:
    if argument.kind in (FILES, RECORDINGS):
        return " -r -F" if exclusive else " -F"
    if argument.separated and argument.words:
        return f"{exclusive} -a '(__fish_append , {' '.join(argument.words)})'"
    names = " ".join(argument.words) or (f"(__bpftop_{argument.kind})" if argument.kind else "")
    return f"{exclusive} -a '{names}'" if names else exclusive


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def main() -> None:
    """Write the scripts for bash, zsh and fish."""
    for path, text in texts():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
