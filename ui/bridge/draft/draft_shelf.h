// SPDX-License-Identifier: MIT
// The shelf of drafts: what was being written when the studio was closed, or when another spec was
// opened, and the spec files that were used last. One small file each, in home_folder()/drafts.
// These functions read and write files: they are for workers.
#pragma once

#include <QDateTime>
#include <QString>
#include <vector>

#include "ui/bridge/draft/draft_origin.h"

namespace tessera::ui {

struct KeptDraft {
  QString id;    ///< follows from where it began, so that a spec has one place on the shelf
  QString name;  ///< name of the run that it describes
  DraftOrigin origin;
  QString file, runFolder;
  QString text, savedText;
  QString launchedText;  ///< that a run was started with last; empty: none
  int changes = 0;       ///< settings that differ from where it began
  QDateTime time{};

  bool dirty() const { return text != savedText; }
  bool launched() const { return text == launchedText; }
};

QString draftId(const DraftOrigin& origin);
/// Puts it there in place of what has the same id. Only the newest thirty stay.
void keepDraft(const KeptDraft& draft);
void removeDraft(const QString& id);
/// Throws Error where there is none, or none that can be read.
KeptDraft readDraft(const QString& id);
/// Newest first. What cannot be read is passed over with a line in the log.
std::vector<KeptDraft> listDrafts();

}  // namespace tessera::ui
