# Third-party libraries, each as an imported target that only the rooms named in
# tests/lint/headers.txt link: PkgConfig::uv, ::cjson, ::yaml, ::xxhash, ::md, ::raft. Nobody links
# libmicrohttpd, of which only the header is needed: see edge/mhd.h.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv>=1.44)
set(GP_MICROHTTPD_MIN 0.9.75)
pkg_check_modules(microhttpd REQUIRED libmicrohttpd>=${GP_MICROHTTPD_MIN})
pkg_check_modules(cjson REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(md REQUIRED IMPORTED_TARGET libmd)
pkg_check_modules(raft REQUIRED IMPORTED_TARGET raft>=0.15)
if(GP_BUILD_TESTS)
  pkg_check_modules(criterion REQUIRED IMPORTED_TARGET criterion)
endif()
