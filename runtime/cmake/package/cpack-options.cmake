# Read by cpack once per generator. A Debian package is laid out for /usr, a tarball for any folder.
if(CPACK_GENERATOR STREQUAL "DEB")
  set(CPACK_SET_DESTDIR ON)
  set(CPACK_INSTALL_PREFIX /usr)
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY) # each package begins with its own
endif()

# Who packs the same files again gets the same bytes.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND date -u +%s -d ${CPACK_GEARPUMP_DATE} OUTPUT_VARIABLE epoch
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(ENV{SOURCE_DATE_EPOCH} ${epoch})
endif()
