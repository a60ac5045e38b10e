#compdef gpctl gpd
# Completion of gpctl and gpd for zsh: asks the program itself, whatever is being typed.

_gpctl() {
    local -a lines plain unfinished plain_shown unfinished_shown
    local line word also

    lines=("${(@f)$(${~words[1]} __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    for line in $lines; do
        word=${line%%$'\t'*}
        case $line in
        :*) also=${line#:} ;;
        *[=,]$'\t'*) unfinished+=("$word") unfinished_shown+=("$word  ${line#*$'\t'}") ;;
        *) plain+=("$word") plain_shown+=("$word  ${line#*$'\t'}") ;;
        esac
    done
    (( $#plain )) && compadd -l -d plain_shown -a plain
    (( $#unfinished )) && compadd -S '' -l -d unfinished_shown -a unfinished

    [[ -z $also || $PREFIX != --*=* ]] || compset -P 1 '*='
    case $also in
    files) _files ;;
    'files '*) _files -g "*${also#files }" ;;
    folders) _files -/ ;;
    esac
    (( $#plain + $#unfinished )) || [[ -n $also ]]
}

if [[ $funcstack[1] == _gpctl ]]; then
    _gpctl "$@"
else
    compdef _gpctl gpctl gpd
fi
