# How tests are made and registered with ctest. Every test has a time limit and one label:
# unit, sim, e2e, fuzz, lint, abi, install or browser (`ctest -L unit`).

# Criterion gives each test a process of its own, which neither the thread sanitizer nor the
# coverage counters survive; there the same tests run in one process (tests/unit/plain_runner.c).
set(GP_TEST_PLAIN OFF)
if(GP_SANITIZE MATCHES "thread" OR GP_COVERAGE)
  set(GP_TEST_PLAIN ON)
endif()
if(GP_TEST_PLAIN)
  add_library(gp_test STATIC ${PROJECT_SOURCE_DIR}/tests/unit/plain_runner.c)
  target_compile_definitions(gp_test PUBLIC GP_TEST_PLAIN)
  target_include_directories(gp_test PUBLIC ${PROJECT_SOURCE_DIR}/tests/unit)
  target_link_libraries(gp_test PUBLIC Threads::Threads PRIVATE gp_flags gp_warnings)
else()
  add_library(gp_test INTERFACE)
  target_include_directories(gp_test INTERFACE ${PROJECT_SOURCE_DIR}/tests/unit)
  target_link_libraries(gp_test INTERFACE PkgConfig::criterion Threads::Threads)
endif()

# Both make a run many times slower: seeds are fewer (GP_FEWER in gp_test.h), limits of time wider.
set(GP_TEST_SLOWNESS 1)
if(GP_SANITIZE OR GP_COVERAGE)
  set(GP_TEST_SLOWNESS 4)
  target_compile_definitions(gp_test INTERFACE GP_TEST_SLOW)
endif()

# gp_unit_test(ROOM test_file.c... [LINKS ...] [LABEL unit] [TIMEOUT 60])
#
# One executable and one ctest test, ROOM.file, for each file. The room's library is linked by itself.
function(gp_unit_test room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "LINKS")
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * ${GP_TEST_SLOWNESS}")
  foreach(file IN LISTS arg_UNPARSED_ARGUMENTS)
    get_filename_component(stem ${file} NAME_WE)
    string(REGEX REPLACE "^test_" "" stem ${stem})
    set(target test_${room}_${stem})
    add_executable(${target} ${file})
    set_target_properties(${target} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${room})
    if(TARGET gp_${room})
      target_link_libraries(${target} PRIVATE gp_${room})
    endif()
    target_link_libraries(${target} PRIVATE gp_flags gp_warnings gp_test ${arg_LINKS})
    add_test(NAME ${room}.${stem} COMMAND ${target})
    set_tests_properties(${room}.${stem} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${arg_LABEL})
  endforeach()
endfunction()

# gp_script_test(NAME LABEL label [TIMEOUT 60] COMMAND ...)
#
# A test that is a command of its own: an e2e scenario, a lint. It finds the build in GP_BUILD_DIR.
function(gp_script_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "COMMAND")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${arg_LABEL}
    ENVIRONMENT "GP_BUILD_DIR=${PROJECT_BINARY_DIR};GP_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
endfunction()

# gp_fuzz(NAME file.c [LINKS ...])
#
# file.c has LLVMFuzzerTestOneInput(); tests/fuzz/corpus/NAME/ has at least one good input and every
# input that once broke it. With GP_FUZZ libFuzzer looks for new ones; without, the driver runs the
# corpus and a fixed number of mutations. tests/fuzz/run_target.sh says how long and from which seed;
# it also ends what hangs, save in campaigns of an hour and more.
function(gp_fuzz name file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LINKS")
  set(target fuzz_${name})
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set(work ${PROJECT_BINARY_DIR}/tests/fuzz/${name})
  set(kind driver)
  file(MAKE_DIRECTORY ${work})
  add_executable(${target} ${file})
  target_link_libraries(${target} PRIVATE gp_flags gp_warnings ${arg_LINKS})
  # The one function without a prototype is libFuzzer's.
  set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS -Wno-missing-prototypes)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/fuzz)
  if(GP_FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    set(kind libfuzzer)
  else()
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/driver.c)
  endif()
  add_test(NAME fuzz.${name}
    COMMAND sh ${PROJECT_SOURCE_DIR}/tests/fuzz/run_target.sh ${kind} $<TARGET_FILE:${target}> ${corpus}
    WORKING_DIRECTORY ${work})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 4000 LABELS fuzz)
endfunction()
