# SPDX-License-Identifier: MIT
# What goes where on a system: programs beside share/tessera, where they look for it.
include(GNUInstallDirs)
install(TARGETS tessera RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/resources/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tessera
        PATTERN "translations" EXCLUDE)
if(TESSERA_HAVE_CUDA)
  # Where the program looks for it (core/base/backend.cpp), whatever the system calls its folder of
  # libraries.
  set_target_properties(tessera_cuda PROPERTIES INSTALL_RPATH /usr/local/cuda/lib64)
  install(TARGETS tessera_cuda LIBRARY DESTINATION lib/tessera)
endif()
if(TESSERA_HAVE_QT)
  install(TARGETS tessera-studio RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${CMAKE_SOURCE_DIR}/packaging/linux/tessera-studio.desktop
          DESTINATION ${CMAKE_INSTALL_DATADIR}/applications)
  install(FILES ${CMAKE_SOURCE_DIR}/packaging/linux/io.github.tessera.Studio.metainfo.xml
          DESTINATION ${CMAKE_INSTALL_DATADIR}/metainfo)
  install(FILES ${CMAKE_SOURCE_DIR}/resources/icons/tessera-studio.svg
          DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps)
endif()
