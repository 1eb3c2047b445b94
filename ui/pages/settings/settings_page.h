// SPDX-License-Identifier: MIT
// Settings: what the user likes. Everything applies at once; what cannot says so beside it.
#pragma once

#include <functional>
#include <vector>

#include "core/history/alerts.h"
#include "ui/pages/page.h"

class QGridLayout;
class QVBoxLayout;

namespace tessera::ui {

class EmptyState;
class SearchField;

class SettingsPage : public Page {
  Q_OBJECT
 public:
  explicit SettingsPage(Studio& studio, QWidget* parent = nullptr);

  void open(const Location& location) override;  ///< find=WORDS shows what they are in
  Location location() const override;
  std::vector<QAction*> commands() override { return {m_reset}; }

 private:
  struct Setting {
    QString words;  ///< searched
    QWidget* row;
    int section;
  };

  // settings_rows.cpp
  void addLook();
  void addData();
  void addNotices();
  void addAlerts();
  void addShortcuts();
  QWidget* themeChoice();
  QWidget* languageChoice();
  QWidget* folderField();
  QWidget* diskField();
  QWidget* logField();
  QWidget* alertField(AlertKind kind, const QString& title);
  QWidget* shortcutField(const QString& command, const QString& title, const QString& usual);

  void section(const QString& title);
  /// One setting: name, what it does, its control. `words` are searched as well.
  void add(const QString& title, const QString& help, QWidget* control, const QString& words = {});
  /// What the page shows first, and what it makes in a later turn of the event loop: many rows
  /// below what is seen at first. A search makes them at once.
  void build();
  void buildRest();
  void filter(const QString& text);
  void resetAll();
  /// `show` runs now and whenever the preference at `key` changes.
  void follow(QWidget* control, const QString& key, std::function<void()> show);

  SearchField* m_search;
  QVBoxLayout* m_body = nullptr;
  EmptyState* m_nothing;
  QAction* m_reset;
  std::vector<Setting> m_settings;
  std::vector<QWidget*> m_sections;
  QVBoxLayout* m_card = nullptr;
  QVBoxLayout* m_parts = nullptr;  ///< sections
  bool m_whole = false;
};

}  // namespace tessera::ui
