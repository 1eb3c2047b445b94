// SPDX-License-Identifier: MIT
// The manual: the pages of docs/guide/, read inside the studio without a network. An index or what
// a search found at the left, the text at the right. Every heading has a link.
#pragma once

#include <memory>

#include "ui/pages/manual/manual_text.h"
#include "ui/pages/page.h"

class QListWidget;
class QTextBrowser;
class QTextDocument;
class QUrl;

namespace tessera::ui {

class EmptyState;
class Mailbox;
class SearchField;

class ManualPage : public Page {
  Q_OBJECT
 public:
  /// `folder`: of the chapters; empty for the program's own.
  explicit ManualPage(Studio& studio, QWidget* parent = nullptr, const QString& folder = {});
  ~ManualPage() override;

  /// Arguments: `at` names the chapter, `heading` a heading as in links.
  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override { return m_commands; }
  const std::vector<ManualChapter>& chapters() const { return m_chapters; }

 protected:
  void changeEvent(QEvent* event) override;

 private:
  QWidget* makeSide();
  void take(const QString& folder, std::vector<ManualChapter> chapters);
  void list();
  QTextDocument* documentOf(const ManualChapter& chapter) const;
  void show(const QString& chapter, const QString& heading);
  void scrollTo(const QString& heading);
  void follow(const QUrl& link);
  void copyLink();
  const ManualChapter* chapter(const QString& id) const;

  std::shared_ptr<Mailbox> m_mailbox;
  std::vector<ManualChapter> m_chapters;
  std::vector<QAction*> m_commands;
  SearchField* m_search = nullptr;
  QListWidget* m_list = nullptr;
  QTextBrowser* m_text = nullptr;
  QTextDocument* m_document = nullptr;  ///< the chapter that is shown
  QWidget* m_body = nullptr;
  EmptyState* m_empty = nullptr;
  QString m_folder, m_shown, m_heading;
  bool m_loaded = false, m_listing = false;
};

}  // namespace tessera::ui
