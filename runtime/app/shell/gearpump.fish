# Completion of gpctl and gpd for fish: asks the program itself, whatever is being typed.

function __gearpump_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l lines ($program __complete $words "$typed" 2>/dev/null)
    test (count $lines) -gt 0; or return
    set -l also (string sub -s 2 -- $lines[-1])
    set -e lines[-1]
    count $lines >/dev/null; and printf '%s\n' $lines

    set -l begun (string match -r -- '^--[^=]*=' "$typed")
    set -l path (string replace -r -- '^--[^=]*=' '' "$typed")
    switch "$also"
        case 'files*'
            set -l suffix (string escape --style=regex -- (string sub -s 7 -- "$also"))
            set -l files (__fish_complete_path "$path" | string match -r -- '^[^\t]*(?:/|'$suffix')(?:\t.*)?$')
            count $files >/dev/null; and printf "$begun%s\n" $files
        case folders
            set -l folders (__fish_complete_directories "$path")
            count $folders >/dev/null; and printf "$begun%s\n" $folders
    end
end

for program in gpctl gpd
    complete -c $program -k -f -a '(__gearpump_complete)'
end
