# cmake -D OUT=FILE -D FROM=DIR -D FILES=A;B -P templates.cmake
#
# Writes the projects of `gpctl new` as a C table (app/template.h). LANGUAGE/PATH below DIR; a name
# that begins with "dot-" is that of a hidden file.
set(text "/* Made by templates.cmake. */\n#include \"app/template.h\"\n\n")
set(rows "")
set(number 0)
foreach(file ${FILES})
  file(READ ${FROM}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "^([^/]+)/(.*)$" "\\1;\\2" parts ${file})
  list(GET parts 0 language)
  list(GET parts 1 path)
  string(REGEX REPLACE "(^|/)dot-" "\\1." path ${path})
  string(APPEND text "static const unsigned char file_${number}[] = {${bytes}};\n")
  string(APPEND rows "    {\"${language}\", \"${path}\", file_${number}, sizeof file_${number}},\n")
  math(EXPR number "${number} + 1")
endforeach()
string(APPEND text "\nconst struct template_file template_files[] = {\n${rows}    {0},\n};\n")
file(WRITE ${OUT} "${text}")
