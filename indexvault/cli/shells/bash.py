"""The completion of bash."""

from collections.abc import Iterable, Sequence

from indexvault.cli.shells.arguments import Option, Value, Verb, common_options, values

_SCRIPT = r"""# Completes indexvault in bash: source <(indexvault completion bash)

_indexvault_options() {
    case $1 in
@OPTIONS@
    esac
}

# What an option of a verb takes, or a place of it holds: a kind of names, files, folders, or = and its choices.
_indexvault_value() {
    case $1 in
@VALUES@
    *) return 1 ;;
    esac
}

_indexvault_names() {
    command indexvault ${2:+--config "$2"} completion bash --names "$1" 2>/dev/null
}

_indexvault() {
    local line=${COMP_LINE:0:COMP_POINT} verb= config= place=0 option= value= word last
    local -a given
    # bash cuts words at @ and =, which indexvault does not.
    read -ra given <<<"$line"
    last=
    [[ $line == *[[:space:]] ]] || { last=${given[-1]}; unset 'given[-1]'; }
    for word in "${given[@]:1}"; do
        if [[ -n $option ]]; then
            [[ $option == --config ]] && config=$word
            option=
        elif [[ $word == -* ]]; then
            value=$(_indexvault_value "${verb:--} $word") && option=$word
        elif [[ -z $verb ]]; then
            verb=$word
        else
            place=$((place + 1))
        fi
    done
    local cut=${last%"${COMP_WORDS[COMP_CWORD]}"} words=
    if [[ -n $option ]]; then
        value=$(_indexvault_value "${verb:--} $option")
    elif [[ $last == -* ]]; then
        value="=$(_indexvault_options "${verb:--}")"
    elif [[ -z $verb ]]; then
        value="=@VERBS@"
    else
        value=$(_indexvault_value "$verb $((place + 1))" || _indexvault_value "$verb *")
    fi
    COMPREPLY=()
    case $value in
    '') return ;;
    files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$last"); return ;;
    folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$last"); return ;;
    =*) words=${value:1} ;;
    *) words=$(_indexvault_names "$value" "$config") ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$last")
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    # What stands before the last cut is on the line already. An @ belongs to what readline replaces.
    cut=${cut%@}
    COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}

complete -F _indexvault indexvault
"""


def bash_script(every: Sequence[Verb]) -> str:
    """Return the script."""
    common = common_options(every)
    options = [_case("-", _flags(common)), *(_case(verb.name, _flags(verb.options)) for verb in every)]
    of_all = {f"- {each.flag}": each.value for each in common if each.value is not None}
    found = [f"    '{where}') echo '{_told(value)}' ;;" for where, value in {**of_all, **values(every)}.items()]
    return (
        _SCRIPT.replace("@OPTIONS@", "\n".join(options))
        .replace("@VALUES@", "\n".join(found))
        .replace("@VERBS@", " ".join(verb.name for verb in every))
    )


def _flags(options: Iterable[Option]) -> str:
    return " ".join(option.flag for option in options)


def _case(verb: str, words: str) -> str:
    return f"    {verb}) echo '{words}' ;;"


def _told(value: Value) -> str:
    if value.kind == "choices":
        return f"={' '.join(value.choices)}"
    return "" if value.kind == "nothing" else value.kind
