# Read by cpack once per generator. A Debian package is laid out for /usr, a tarball for any folder.
if(CPACK_GENERATOR STREQUAL "DEB")
  set(CPACK_SET_DESTDIR ON)
  set(CPACK_INSTALL_PREFIX /usr)
endif()
