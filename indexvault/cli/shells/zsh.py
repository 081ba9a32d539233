"""The completion of zsh."""

from collections.abc import Iterable, Sequence

from indexvault.cli.shells.arguments import Option, Place, Value, Verb, common_options
from indexvault.cli.shells.names import NAMED

_SCRIPT = r"""#compdef indexvault
# Completes indexvault in zsh: source <(indexvault completion zsh), after compinit;
# or save it as _indexvault in a folder of $fpath.

# The last argument is the kind; those before are for compadd.
_indexvault_names() {
    local -a names config
    [[ -n $opt_args[--config] ]] && config=(--config ${(Q)opt_args[--config]})
    names=(${(f)"$(command indexvault $config completion zsh --names ${@[-1]} 2>/dev/null)"})
    compadd "${@[1,-2]}" -S '' -- ${(M)names:#*/}
    compadd "${@[1,-2]}" -- ${names:#*/}
}

_indexvault_verbs() {
    local -a verbs=(
@VERBS@
    )
    _describe verb verbs
}

_indexvault() {
    local state curcontext=$curcontext
    local -A opt_args
    _arguments -C \
@COMMON@
        '1:verb:_indexvault_verbs' \
        '*::argument:->arguments' && return
    [[ $state == arguments ]] || return
    case $words[1] in
@CASES@
    esac
}

if [[ $funcstack[1] == _indexvault ]]; then
    _indexvault "$@"
else
    compdef _indexvault indexvault
fi
"""


def zsh_script(every: Sequence[Verb]) -> str:
    """Return the script."""
    verbs = [f"        {_quoted(f'{verb.name}:{verb.summary}')}" for verb in every]
    common = [f"        {_option(option)} \\" for option in common_options(every)]
    return (
        _SCRIPT.replace("@VERBS@", "\n".join(verbs))
        .replace("@COMMON@", "\n".join(common))
        .replace("@CASES@", "\n".join(_case(verb) for verb in every))
    )


def _case(verb: Verb) -> str:
    specifications = [*map(_option, verb.options), *_places(verb.places)]
    return f"    {verb.name}) _arguments \\\n        " + " \\\n        ".join(specifications) + " ;;"


def _option(option: Option) -> str:
    star = "*" if option.repeats else ""
    return _quoted(f"{star}{option.flag}[{_escaped(option.summary)}]{_value(option.value) if option.value else ''}")


def _places(places: Iterable[Place]) -> list[str]:
    found = []
    for number, place in enumerate(places, 1):
        where = "*" if place.many else f"{number}{':' if place.optional else ''}"
        found.append(_quoted(f"{where}{_value(place.value)}"))
    return found


def _value(value: Value) -> str:
    return f":{_escaped(value.name)}:{_action(value)}"


def _action(value: Value) -> str:
    if value.kind in NAMED:
        return f"_indexvault_names {value.kind}"
    match value.kind:
        case "choices":
            return f"({' '.join(value.choices)})"
        case "files":
            return "_files"
        case "folders":
            return "_files -/"
        case _:
            return " "


def _escaped(text: str) -> str:
    r"""Return a text with a backslash before what ends a part of a specification."""
    return "".join(f"\\{character}" if character in "[]:\\" else character for character in text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
