# Compiler flags, as two interface targets rather than directory-wide settings:
#   gp_warnings  what we ask the compiler to complain about
#   gp_flags     how our own code is built: language, visibility, optimisation, sanitizers
# Installed headers and users' plugins inherit neither.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

add_library(gp_warnings INTERFACE)
target_compile_options(gp_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wvla
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  # Texts are cut at their bound on purpose (gp_error); who must not lose bytes checks the result.
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
  $<$<BOOL:${GP_WERROR}>:-Werror>)

add_library(gp_flags INTERFACE)
target_compile_definitions(gp_flags INTERFACE _GNU_SOURCE GP_VERSION="${PROJECT_VERSION}")
target_compile_options(gp_flags INTERFACE
  -fvisibility=hidden -fno-omit-frame-pointer -fstack-protector-strong
  $<$<CONFIG:Release,RelWithDebInfo>:-O3>
  # The same source gives the same bytes in whatever folder it is built.
  $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.>
  $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-ffile-prefix-map=${PROJECT_BINARY_DIR}=.>)
target_link_options(gp_flags INTERFACE -Wl,-z,relro,-z,now)

# One of address, undefined, thread or several: flags for compiler and linker alike. A report ends
# the process, so that a test cannot pass over it.
if(GP_SANITIZE)
  set(gp_sanitize_flags -fsanitize=${GP_SANITIZE} -fno-sanitize-recover=all)
  target_compile_options(gp_flags INTERFACE ${gp_sanitize_flags})
  target_link_options(gp_flags INTERFACE ${gp_sanitize_flags})
endif()

if(GP_COVERAGE)
  target_compile_options(gp_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(gp_flags INTERFACE --coverage)
endif()

# Instruments the runtime for libFuzzer; the fuzz executables add the driver (tests/cmake/GpTest.cmake).
if(GP_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "GP_FUZZ needs clang: configure with -DCMAKE_C_COMPILER=clang")
  endif()
  target_compile_options(gp_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(gp_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Our own plugins and examples are built with our flags; gp_add_plugin() adds them.
set(GP_PLUGIN_PRIVATE_LINKS gp_flags gp_warnings)
