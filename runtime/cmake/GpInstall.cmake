# What `cmake --install` and cpack put where, apart from programs (gp_program), their manual pages,
# plugins and examples (their folders). The tree can be moved as a whole: nothing in it holds an
# absolute path, but units of systemd, which must. How Debian wants it, where that differs, is said
# for the prefix /usr; any other tree keeps everything inside.
#
# Two components: runtime, which is also what is not marked, and dev (GP_DEV).
include(CMakePackageConfigHelpers)

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gearpump)
set(pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)
set(doc_dir ${CMAKE_INSTALL_DATADIR}/doc/gearpump)
set(staging ${PROJECT_BINARY_DIR}/install-files)
set(package_dir ${PROJECT_SOURCE_DIR}/runtime/cmake/package)

# The SDK.
install(DIRECTORY sdk/include/gearpump DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${GP_DEV}
  FILES_MATCHING PATTERN *.h*)
install(TARGETS gearpump_sdk gp_testkit EXPORT gearpump-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} ${GP_DEV})
install(EXPORT gearpump-targets NAMESPACE gearpump:: DESTINATION ${cmake_dir} ${GP_DEV})
configure_package_config_file(sdk/cmake/gearpump-config.cmake.in ${staging}/gearpump-config.cmake
  INSTALL_DESTINATION ${cmake_dir} PATH_VARS CMAKE_INSTALL_BINDIR GP_INSTALL_PLUGIN_DIR)
write_basic_package_version_file(${staging}/gearpump-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES sdk/cmake/GearpumpPlugin.cmake ${staging}/gearpump-config.cmake
  ${staging}/gearpump-config-version.cmake DESTINATION ${cmake_dir} ${GP_DEV})
file(RELATIVE_PATH GP_PC_PREFIX /prefix/${pkgconfig_dir} /prefix)
string(REGEX REPLACE "/$" "" GP_PC_PREFIX ${GP_PC_PREFIX})
foreach(name gearpump-sdk gearpump-testkit)
  configure_file(sdk/cmake/${name}.pc.in ${staging}/${name}.pc @ONLY)
  install(FILES ${staging}/${name}.pc DESTINATION ${pkgconfig_dir} ${GP_DEV})
endforeach()
install(FILES sdk/README.md DESTINATION ${doc_dir}/sdk ${GP_DEV})

# Completion: one script a shell, for both programs.
set(shells ${PROJECT_SOURCE_DIR}/runtime/app/shell)
foreach(program gpctl gpd)
  install(FILES ${shells}/gearpump.bash RENAME ${program}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${shells}/gearpump.fish RENAME ${program}.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endforeach()

# Configuration, units and documents.
install(CODE "
  set(share \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR})
  set(units \${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    set(conf_dir /etc/gearpump)
    set(units /lib/systemd/system)
    set(zsh \${share}/zsh/vendor-completions)
  else()
    set(conf_dir \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SYSCONFDIR}/gearpump)
    set(zsh \${share}/zsh/site-functions)
    file(INSTALL ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION \${share}/doc/gearpump)
  endif()
  file(INSTALL ${PROJECT_SOURCE_DIR}/conf/gearpump.yaml DESTINATION \${conf_dir})
  file(INSTALL ${shells}/gearpump.zsh DESTINATION \${zsh} RENAME _gpctl)
  foreach(unit gpd-master gpd-worker)
    file(READ ${PROJECT_SOURCE_DIR}/conf/systemd/\${unit}.service text)
    if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
      string(REPLACE /usr/local/bin /usr/bin text \"\${text}\")
    endif()
    file(WRITE ${staging}/\${unit}.service \"\${text}\")
    file(INSTALL ${staging}/\${unit}.service DESTINATION \${units})
  endforeach()")
install(DIRECTORY conf/grafana DESTINATION ${CMAKE_INSTALL_DATADIR}/gearpump)
install(FILES conf/prometheus.yml DESTINATION ${CMAKE_INSTALL_DATADIR}/gearpump)
install(FILES README.md DESTINATION ${doc_dir})
install(FILES runtime/wire/PROTOCOL.md DESTINATION ${doc_dir}/runtime/wire)
install(FILES runtime/control/README.md DESTINATION ${doc_dir}/runtime/control)
install(FILES runtime/observe/README.md DESTINATION ${doc_dir}/runtime/observe)
# What these pages link to, where they look for it.
install(FILES tests/bench/README.md tests/bench/RESULTS.md DESTINATION ${doc_dir}/tests/bench)
install(FILES conf/gearpump.yaml conf/prometheus.yml DESTINATION ${doc_dir}/conf)
install(FILES conf/grafana/README.md DESTINATION ${doc_dir}/conf/grafana)
install(DIRECTORY conf/systemd DESTINATION ${doc_dir}/conf)
install(DIRECTORY plugins DESTINATION ${CMAKE_INSTALL_DATADIR}/gearpump
  FILES_MATCHING PATTERN README.md)

set(GP_MAINTAINER "Gearpump maintainers <maintainers@gearpump.invalid>")

# Each Debian package says by itself whose it is and what changed; dev shares with runtime otherwise.
execute_process(COMMAND date -uRd ${GP_RELEASE_DATE} OUTPUT_VARIABLE release_date
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
configure_file(${package_dir}/changelog.in ${staging}/changelog @ONLY)
execute_process(COMMAND gzip -9nf ${staging}/changelog)
set(legal ${package_dir}/copyright ${staging}/changelog.gz)
install(FILES ${legal} DESTINATION ${doc_dir})
install(CODE "
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    file(INSTALL ${package_dir}/copyright ${staging}/changelog.gz DESTINATION \${CMAKE_INSTALL_PREFIX}/${doc_dir}-dev)
  endif()" ${GP_DEV})

# Packages: gearpump-VERSION-linux-ARCH.tar.gz; gearpump_VERSION_ARCH.deb and gearpump-dev_VERSION_ARCH.deb.
set(CPACK_GENERATOR TGZ)
find_program(GP_DPKG dpkg)
if(GP_DPKG)
  list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_PACKAGE_NAME gearpump)
set(CPACK_PACKAGE_VENDOR Gearpump)
set(CPACK_PACKAGE_CONTACT ${GP_MAINTAINER})
string(TOLOWER ${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR} system)
set(CPACK_PACKAGE_FILE_NAME gearpump-${PROJECT_VERSION}-${system})
set(CPACK_STRIP_FILES ON)
set(CPACK_GEARPUMP_DATE ${GP_RELEASE_DATE})
set(CPACK_PROJECT_CONFIG_FILE ${package_dir}/cpack-options.cmake)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME gearpump)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION net)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
# libmicrohttpd is loaded at run time (edge/mhd.h), so nothing shows that it is needed.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS
  "adduser, libmicrohttpd12 (>= ${GP_MICROHTTPD_MIN}) | libmicrohttpd12t64")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS gearpump-dev)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA
  ${package_dir}/conffiles ${package_dir}/postinst ${package_dir}/prerm ${package_dir}/postrm)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "plugin-driven stream processor
Gearpump runs stream jobs: shared objects written against one C header,
spread as tasks over the worker processes of a cluster.
.
This package has the daemon gpd, the client gpctl, the shipped plugins and
built examples. No daemon is started unless you enable gpd-master.service
or gpd-worker.service.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME gearpump-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "gearpump (= ${PROJECT_VERSION}), libc6-dev | libc-dev")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "cmake, pkg-config")
set(CPACK_DEBIAN_DEV_DESCRIPTION "plugin-driven stream processor - headers and test kit
Gearpump runs stream jobs: shared objects written against one C header,
spread as tasks over the worker processes of a cluster.
.
This package has the headers to write jobs and plugins with, the library to
test them without a cluster, support for CMake and pkg-config, and the
source of the examples.")
include(CPack)
