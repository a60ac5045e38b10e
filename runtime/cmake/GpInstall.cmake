# What `cmake --install` and cpack put where, apart from programs (gp_program), plugins and examples
# (their folders). The tree can be moved as a whole: nothing in it holds an absolute path.
include(CMakePackageConfigHelpers)

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gearpump)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(staging ${PROJECT_BINARY_DIR}/install-files)

# The SDK.
install(DIRECTORY sdk/include/gearpump DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(TARGETS gearpump_sdk gp_testkit EXPORT gearpump-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT gearpump-targets NAMESPACE gearpump:: DESTINATION ${cmake_dir})
configure_package_config_file(sdk/cmake/gearpump-config.cmake.in ${staging}/gearpump-config.cmake
  INSTALL_DESTINATION ${cmake_dir} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${staging}/gearpump-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES sdk/cmake/GearpumpPlugin.cmake ${staging}/gearpump-config.cmake
  ${staging}/gearpump-config-version.cmake DESTINATION ${cmake_dir})
file(RELATIVE_PATH GP_PC_PREFIX /prefix/${pkgconfig_dir} /prefix)
string(REGEX REPLACE "/$" "" GP_PC_PREFIX ${GP_PC_PREFIX})
configure_file(sdk/cmake/gearpump-sdk.pc.in ${staging}/gearpump-sdk.pc @ONLY)
install(FILES ${staging}/gearpump-sdk.pc DESTINATION ${pkgconfig_dir})

# Configuration and documents. With the prefix /usr, Debian wants configuration in /etc and the
# licence by reference; any other tree keeps both inside.
set(doc_dir ${CMAKE_INSTALL_DATADIR}/doc/gearpump)
set(conf)
if(EXISTS ${PROJECT_SOURCE_DIR}/conf/gearpump.yaml)
  set(conf ${PROJECT_SOURCE_DIR}/conf/gearpump.yaml)
endif()
install(CODE "
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    set(conf_dir /etc/gearpump)
  else()
    set(conf_dir \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SYSCONFDIR}/gearpump)
    file(INSTALL ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION \${CMAKE_INSTALL_PREFIX}/${doc_dir})
  endif()
  file(INSTALL ${conf} DESTINATION \${conf_dir})")
install(DIRECTORY conf/grafana conf/systemd DESTINATION ${CMAKE_INSTALL_DATADIR}/gearpump)
install(FILES conf/prometheus.yml DESTINATION ${CMAKE_INSTALL_DATADIR}/gearpump)
foreach(document README.md sdk/README.md runtime/wire/PROTOCOL.md)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${document})
    get_filename_component(folder ${document} DIRECTORY)
    install(FILES ${document} DESTINATION ${doc_dir}/${folder})
  endif()
endforeach()

# Packages: gearpump-VERSION-linux-ARCH.tar.gz and gearpump_VERSION_ARCH.deb.
set(package_dir ${PROJECT_SOURCE_DIR}/runtime/cmake/package)
set(CPACK_GENERATOR TGZ)
find_program(GP_DPKG dpkg)
if(GP_DPKG)
  list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_PACKAGE_NAME gearpump)
set(CPACK_PACKAGE_VENDOR Gearpump)
set(CPACK_PACKAGE_CONTACT "Gearpump maintainers <maintainers@gearpump.invalid>")
set(CPACK_PACKAGE_DESCRIPTION "Gearpump runs stream jobs: shared objects written against one C header,
spread as tasks over the worker processes of a cluster. This package has
the daemon gpd, the client gpctl, the shipped plugins, the headers to write
jobs with, and examples.")
string(TOLOWER ${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR} system)
set(CPACK_PACKAGE_FILE_NAME gearpump-${PROJECT_VERSION}-${system})
set(CPACK_STRIP_FILES ON)
set(CPACK_PROJECT_CONFIG_FILE ${package_dir}/cpack-options.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
if(conf)
  set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${package_dir}/conffiles)
endif()
include(CPack)

configure_file(${package_dir}/changelog.in ${staging}/changelog @ONLY)
execute_process(COMMAND gzip -9nf ${staging}/changelog)
install(FILES ${package_dir}/copyright ${staging}/changelog.gz DESTINATION ${doc_dir})
