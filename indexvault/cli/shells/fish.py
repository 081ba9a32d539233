"""The completion of fish."""

from collections.abc import Iterable, Sequence

from indexvault.cli.shells.arguments import Option, Value, Verb, common_options
from indexvault.cli.shells.names import NAMED

_SCRIPT = r"""# Completes indexvault in fish: indexvault completion fish | source

# Whether the verb is $argv[1], and its place $argv[2] is next (or a later one, if $argv[3] is many).
function __indexvault_at
    set -l with_value @WITH_VALUE@
    set -l verb
    set -l place 1
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word $with_value
            set skip 1
        else if string match -q -- '-*' $word
            continue
        else if test -z "$verb"
            set verb $word
        else
            set place (math $place + 1)
        end
    end
    if test (count $argv) = 0
        test -z "$verb"
        return
    end
    test "$verb" = $argv[1]; or return 1
    if test (count $argv) = 1
        return 0
    end
    test $place = $argv[2]; or test "$argv[3]" = many -a $place -gt $argv[2]
end

function __indexvault_names
    set -l config
    set -l words (commandline -opc)
    if set -l found (contains -i -- --config $words)
        set config --config $words[(math $found + 1)]
    end
    command indexvault $config completion fish --names $argv[1] 2>/dev/null
end

complete -c indexvault -f
@LINES@
"""


def fish_script(every: Sequence[Verb]) -> str:
    """Return the script."""
    common = common_options(every)
    lines = [f"complete -c indexvault {_option(option)}" for option in common]
    for verb in every:
        lines.append(f"complete -c indexvault -n __indexvault_at -a {verb.name} -d {_quoted(verb.summary)}")
        lines += [
            f"complete -c indexvault -n '__indexvault_at {verb.name}' {_option(option)}"
            for option in verb.options
            if option not in common
        ]
        for number, place in enumerate(verb.places, 1):
            where = f"__indexvault_at {verb.name} {number}{' many' if place.many else ''}"
            if place.value.kind != "nothing":
                lines.append(f"complete -c indexvault -n '{where}' {_value(place.value)}")
    return _SCRIPT.replace("@WITH_VALUE@", " ".join(_with_value(every))).replace("@LINES@", "\n".join(lines))


def _with_value(every: Iterable[Verb]) -> list[str]:
    return sorted({option.flag for verb in every for option in verb.options if option.value is not None})


def _option(option: Option) -> str:
    value = "" if option.value is None else f" {_required(option.value)}".rstrip()
    name = option.flag.removeprefix("--")
    flag = f"-l {name}" if option.flag.startswith("--") else f"-s {option.flag[1:]}"
    return f"{flag}{value} -d {_quoted(option.summary)}"


def _required(value: Value) -> str:
    """Return what follows an option that takes a value: a file, or something that is none."""
    return "-r -F" if value.kind == "files" else f"-x {_value(value)}"


def _value(value: Value) -> str:
    if value.kind in NAMED:
        return f"-a '(__indexvault_names {value.kind})'"
    match value.kind:
        case "choices":
            return f"-a {_quoted(' '.join(value.choices))}"
        case "files":
            return "-F"
        case "folders":
            return "-a '(__fish_complete_directories (commandline -ct))'"
        case _:
            return ""


def _quoted(text: str) -> str:
    r"""Return a text between single quotes, in which fish knows \\ and \'."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
