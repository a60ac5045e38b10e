# gp_room(NAME [SOURCES file...] [LINKS public...] [PRIVATE_LINKS private...])
#
# Makes the static library gp_NAME, or an interface library for a room of headers only. LINKS are
# the rooms whose headers its headers include; third parties are PRIVATE_LINKS.
function(gp_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS;PRIVATE_LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "gp_room(${name}): what is '${arg_UNPARSED_ARGUMENTS}'?")
  endif()
  if(NOT arg_SOURCES)
    add_library(gp_${name} INTERFACE)
    target_include_directories(gp_${name} INTERFACE ${PROJECT_SOURCE_DIR}/runtime)
    target_link_libraries(gp_${name} INTERFACE gearpump::sdk ${arg_LINKS})
    return()
  endif()
  add_library(gp_${name} STATIC ${arg_SOURCES})
  target_include_directories(gp_${name} PUBLIC ${PROJECT_SOURCE_DIR}/runtime)
  target_link_libraries(gp_${name}
    PUBLIC gearpump::sdk ${arg_LINKS}
    PRIVATE gp_flags gp_warnings ${arg_PRIVATE_LINKS})
endfunction()

# gp_program(NAME SOURCES file... [LINKS ...]): an executable of ours, in build/bin and installed.
function(gp_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${GP_BIN_DIR})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/runtime)
  target_link_libraries(${name} PRIVATE gp_flags gp_warnings ${arg_LINKS})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
