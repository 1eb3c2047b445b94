// SPDX-License-Identifier: MIT
// The inspector of the page: one run, with where it came from and what came of it.
#pragma once

#include <QWidget>

#include "ui/bridge/runs/run_store.h"
#include "ui/shell_context.h"

class QLineEdit;
class QPlainTextEdit;
class QVBoxLayout;

namespace tessera::ui {

class EmptyState;
class StateBadge;
class TextLabel;

class RunDetails : public QWidget {
  Q_OBJECT
 public:
  explicit RunDetails(Studio& studio, QWidget* parent = nullptr);
  ~RunDetails() override;
  void showRun(const QString& id);

 Q_SIGNALS:
  void runRequested(const QString& id);  ///< a link of the lineage

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;

 private:
  void refresh();
  void refreshLineage(const RunRow& row);
  void addRelative(const QString& title, bool there, const QString& id, int depth);
  void commit();

  Studio& m_studio;
  QString m_id;
  QWidget* m_content;
  TextLabel *m_nothing, *m_name, *m_folder, *m_reason, *m_numbers;
  StateBadge* m_badge;
  QLineEdit* m_tags;
  QPlainTextEdit* m_notes;
  QVBoxLayout* m_lineage;
  QString m_lineageKey;  ///< what is shown there
};

}  // namespace tessera::ui
