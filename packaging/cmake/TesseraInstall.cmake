# SPDX-License-Identifier: MIT
# What goes where on a system: programs beside share/tessera, where they look for it.
include(GNUInstallDirs)
install(TARGETS tessera RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/resources/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tessera
        PATTERN "translations" EXCLUDE)
# The manual, written by the program out of what its --help says.
set(TESSERA_MAN ${CMAKE_BINARY_DIR}/man)
add_custom_command(OUTPUT ${TESSERA_MAN}/tessera.1 COMMAND tessera man ${TESSERA_MAN}
                   DEPENDS tessera VERBATIM)
add_custom_target(tessera_man ALL DEPENDS ${TESSERA_MAN}/tessera.1)
install(DIRECTORY ${TESSERA_MAN}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
        OPTIONAL FILES_MATCHING PATTERN "*.1")  # not there where only some targets were built
# The manual, which the studio shows without a network, the pages that it refers to, and its
# pictures, as far from each other as in a clone.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/guide DESTINATION ${CMAKE_INSTALL_DATADIR}/tessera/docs)
foreach(page chat-protocol released-models spec)
  install(FILES ${CMAKE_SOURCE_DIR}/docs/${page}.md
          DESTINATION ${CMAKE_INSTALL_DATADIR}/tessera/docs)
endforeach()
set(TESSERA_PICTURES packaging/screenshots)
file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/guide/*.md)
foreach(page ${pages})
  file(STRINGS ${page} lines REGEX "${TESSERA_PICTURES}/")
  string(REGEX MATCHALL "${TESSERA_PICTURES}/[a-z0-9-]+\\.png" pictures "${lines}")
  list(TRANSFORM pictures PREPEND ${CMAKE_SOURCE_DIR}/)
  install(FILES ${pictures} DESTINATION ${CMAKE_INSTALL_DATADIR}/tessera/${TESSERA_PICTURES})
endforeach()
if(TESSERA_HAVE_CUDA)
  # Where the program looks for it (core/base/backend.cpp), whatever the system calls its folder of
  # libraries.
  set_target_properties(tessera_cuda PROPERTIES INSTALL_RPATH /usr/local/cuda/lib64)
  install(TARGETS tessera_cuda LIBRARY DESTINATION lib/tessera)
endif()
if(TESSERA_HAVE_MPI)
  install(TARGETS tessera_mpi LIBRARY DESTINATION lib/tessera OPTIONAL)
endif()
if(TESSERA_HAVE_NCCL)
  set_target_properties(tessera_nccl PROPERTIES INSTALL_RPATH /usr/local/cuda/lib64)
  install(TARGETS tessera_nccl LIBRARY DESTINATION lib/tessera OPTIONAL)
endif()
if(TESSERA_HAVE_QT)
  install(TARGETS tessera-studio RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${CMAKE_SOURCE_DIR}/packaging/linux/tessera-studio.1
          DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${CMAKE_SOURCE_DIR}/packaging/linux/tessera-studio.desktop
          DESTINATION ${CMAKE_INSTALL_DATADIR}/applications)
  install(FILES ${CMAKE_SOURCE_DIR}/packaging/linux/io.github.tessera.Studio.metainfo.xml
          DESTINATION ${CMAKE_INSTALL_DATADIR}/metainfo)
  install(FILES ${CMAKE_SOURCE_DIR}/resources/icons/tessera-studio.svg
          DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps)
endif()
