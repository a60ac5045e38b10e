# Completion of gpctl and gpd for bash: asks the program itself, whatever is being typed.

_gearpump_files() { # SUFFIX: files that end in it, and folders
    local path
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do
        if [[ -d $path || $path == *"$1" ]]; then
            COMPREPLY+=("$path")
        fi
    done < <(compgen -f -- "$typed")
}

_gearpump() {
    local words=() word glued=1 typed line also= begun=
    COMPREPLY=()

    # bash cuts words at = and : too; here they are put together again.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ -z $glued || $word == [=:]* && ${#words[@]} -gt 0 ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        glued=1
        [[ $word != *[=:] || $word == *[!=:]* ]] || glued=
    done
    typed=${words[${#words[@]} - 1]}

    # ... and what it takes for whole words in front of the last cut stays as it is.
    [[ $typed != *[=:]* ]] || begun=${typed%"${typed##*[=:]}"}
    while IFS= read -r line; do
        case $line in
        :*) also=${line#:} ;;
        *)
            word=${line%%$'\t'*}
            COMPREPLY+=("${word#"$begun"}")
            [[ $word != *[=,] ]] || compopt -o nospace 2>/dev/null
            ;;
        esac
    done < <("${1/#\~/$HOME}" __complete "${words[@]}" 2>/dev/null)

    [[ $typed != --*=* ]] || typed=${typed#*=}
    case $also in
    files) _gearpump_files '' ;;
    'files '*) _gearpump_files "${also#files }" ;;
    folders) _gearpump_files / ;;
    esac
}

complete -F _gearpump gpctl gpd
