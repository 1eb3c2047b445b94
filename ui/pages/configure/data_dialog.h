// SPDX-License-Identifier: MIT
// DataDialog: what a run would read, before it trains: sources, their first documents, and what is
// dropped and why. It stays beside the form; nothing of it is built or kept.
#pragma once

#include <QDialog>

class QPlainTextEdit;
class QProgressBar;
class QPushButton;
class QStackedWidget;
class QTableWidget;

namespace tessera::ui {

class DataLook;
class DraftSpec;
class EmptyState;
class TextLabel;
struct LookedDocument;
struct LookedSource;

class DataDialog : public QDialog {
  Q_OBJECT
 public:
  DataDialog(DraftSpec& draft, QWidget* parent);

  /// Reads the sources as the draft has them now.
  void read();

 private:
  QWidget* makeTop();
  QWidget* makeContent();
  void showState();
  void showSources();
  void showSource();
  void showDocument();
  const LookedSource* source() const;

  DraftSpec& m_draft;
  DataLook* m_look;
  TextLabel* m_state;
  QProgressBar* m_bar;
  QPushButton* m_again;
  QStackedWidget* m_stack;
  EmptyState* m_empty;
  QTableWidget *m_sources, *m_documents;
  TextLabel* m_facts;
  QPlainTextEdit* m_text;
  QString m_problem;
  std::string m_readSpec;  ///< that sources() are of
  bool m_cancelled = false, m_hasRead = false;
};

}  // namespace tessera::ui
