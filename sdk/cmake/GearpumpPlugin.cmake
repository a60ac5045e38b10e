# gp_add_plugin(NAME SOURCES file... [OUTPUT_DIR dir])
#
# Builds NAME.so, a Gearpump plugin or job, in C11 or C++17: everything hidden but gp_entry, linked
# against nothing but libc (C++ brings its library along), with no symbol left undefined. It stands
# in OUTPUT_DIR, by default GP_PLUGIN_OUTPUT_DIR if that is set, else the current binary directory.
function(gp_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT_DIR" "SOURCES")
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "usage: gp_add_plugin(NAME SOURCES file... [OUTPUT_DIR dir])")
  endif()
  if(NOT arg_OUTPUT_DIR)
    set(arg_OUTPUT_DIR ${CMAKE_CURRENT_BINARY_DIR})
    if(GP_PLUGIN_OUTPUT_DIR)
      set(arg_OUTPUT_DIR ${GP_PLUGIN_OUTPUT_DIR})
    endif()
  endif()
  add_library(${name} MODULE ${arg_SOURCES})
  if(CMAKE_C_COMPILER_LOADED)
    target_compile_features(${name} PRIVATE c_std_11)
  endif()
  if(CMAKE_CXX_COMPILER_LOADED)
    target_compile_features(${name} PRIVATE cxx_std_17)
    # Templates of the library are visible whatever the preset says: only a list hides them.
    set(exports ${CMAKE_CURRENT_BINARY_DIR}/${name}.exports)
    file(WRITE ${exports} "{ global: gp_entry; local: *; };\n")
    set(options -static-libstdc++ -static-libgcc -Wl,--version-script=${exports})
    target_link_options(${name} PRIVATE "$<$<LINK_LANGUAGE:CXX>:${options}>")
  endif()
  target_link_libraries(${name} PRIVATE gearpump::sdk ${GP_PLUGIN_PRIVATE_LINKS})
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${arg_OUTPUT_DIR})
  # clang leaves a sanitizer's run time to the executable, so its symbols stay undefined there.
  if(NOT (CMAKE_C_COMPILER_ID MATCHES "Clang" AND (GP_SANITIZE OR GP_FUZZ)))
    target_link_options(${name} PRIVATE -Wl,--no-undefined)
  endif()
endfunction()
