// SPDX-License-Identifier: MIT
// Page: what the shell shows in its centre. A page is a folder in ui/pages/ and one row in
// pages.cpp; rail, menu, shortcuts, session state, links and the smoke test follow from the row.
#pragma once

#include <QAction>
#include <QString>
#include <QWidget>
#include <functional>
#include <vector>

#include "ui/shell_context.h"

namespace tessera::ui {

class Page : public QWidget {
  Q_OBJECT
 public:
  explicit Page(Studio& studio, QWidget* parent = nullptr) : QWidget(parent), m_studio(studio) {}

  /// Shows what a link names: subject "run id" and arguments such as step=120. Called each time the
  /// page is navigated to; an empty location keeps what is shown.
  virtual void open(const Location& location) = 0;
  /// Where the page is now, so that it can be come back to.
  virtual Location location() const = 0;
  /// What the palette (Ctrl+K) and the menu offer while this page is shown.
  virtual std::vector<QAction*> commands() { return {}; }
  /// Shown in the Inspector dock while this page is; may be null. Owned by the page.
  virtual QWidget* inspector() { return nullptr; }
  /// The page was shown or hidden, the window focused or not: adjust cadence.
  virtual void setActivity(bool /*visible*/, bool /*focused*/) {}
  /// The same by command line, for the hint in the status bar; may be empty.
  virtual QString command() const { return {}; }

 Q_SIGNALS:
  void locationChanged();
  void commandChanged();

 protected:
  Studio& studio() const { return m_studio; }

 private:
  Studio& m_studio;
};

struct PageInfo {
  const char* id;        ///< "monitor": in links, settings and tests
  const char* title;     ///< to be translated
  const char* icon;      ///< resources/icons/<icon>.svg
  const char* shortcut;  ///< "Ctrl+3"; empty: none
  bool inRail;
  std::function<Page*(Studio&, QWidget*)> make;
};
/// In the order of the rail.
const std::vector<PageInfo>& pages();
/// In the language of the program.
QString pageTitle(const PageInfo& info);

}  // namespace tessera::ui
