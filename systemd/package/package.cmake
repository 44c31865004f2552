# CPack: .deb, .rpm and a tarball of what is installed. Reproducible: times are SOURCE_DATE_EPOCH's, names and orders are
# fixed, nothing of the building machine stands in them. Made by `tests/run package`.
set(CPACK_PACKAGE_NAME pfx-connector)
set(CPACK_PACKAGE_VENDOR "The pfx-connector authors")
set(CPACK_PACKAGE_CONTACT "The pfx-connector authors <pfx-connector@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "certificate connector for S/MIME and PFX delivery")
set(CPACK_PACKAGE_DESCRIPTION
  "Polls a device management service, issues S/MIME certificates by an on-premises authority, and packs imported ones anew for each device that proves who it is.")
set(CPACK_GENERATOR "DEB;RPM;TGZ")
set(CPACK_STRIP_FILES ON)
# Configuration lies in /etc, whatever the prefix; nothing is ever written outside of the package's root.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

# What the maintainer scripts have to know: the newest database that this program can open.
file(GLOB migrations CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/storage/migrations/*.sql")
list(LENGTH migrations CONNECTOR_SCHEMA)
set(scripts "${CMAKE_CURRENT_BINARY_DIR}/scripts")
foreach(script preinst postinst prerm postrm conffiles)
  configure_file(package/deb/${script} "${scripts}/deb/${script}" @ONLY)
endforeach()
foreach(script pre post preun postun)
  configure_file(package/rpm/${script} "${scripts}/rpm/${script}" @ONLY)
endforeach()
file(CHMOD "${scripts}/deb/preinst" "${scripts}/deb/postinst" "${scripts}/deb/prerm" "${scripts}/deb/postrm"
  PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
file(CHMOD "${scripts}/deb/conffiles" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd (>= 252), init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
# Kerberos towards the directory.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libsasl2-modules-gssapi-mit")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${scripts}/deb/preinst" "${scripts}/deb/postinst" "${scripts}/deb/prerm"
  "${scripts}/deb/postrm" "${scripts}/deb/conffiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE "Apache-2.0")
set(CPACK_RPM_PACKAGE_REQUIRES "systemd >= 252")
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/pfx-connector/connector.toml")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /usr/sbin /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d
  /usr/lib/tmpfiles.d /usr/share/man /usr/share/man/man5 /usr/share/man/man8 /usr/share/bash-completion
  /usr/share/bash-completion/completions /usr/share/doc)
set(CPACK_RPM_PRE_INSTALL_SCRIPT_FILE "${scripts}/rpm/pre")
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE "${scripts}/rpm/post")
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE "${scripts}/rpm/preun")
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE "${scripts}/rpm/postun")
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _buildhost reproducible
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define source_date_epoch_from_changelog 0
%define _build_id_links none
%define __brp_mangle_shebangs %{nil}")
include(CPack)
