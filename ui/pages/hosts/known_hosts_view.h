// SPDX-License-Identifier: MIT
// The hosts that are kept, each with what was found on it and the next step.
#pragma once

#include <QHash>
#include <QWidget>
#include <string>

#include "core/launch/host_book.h"
#include "ui/pages/page.h"

class QVBoxLayout;

namespace tessera::ui {

class EmptyState;
class KnownHosts;

class KnownHostsView : public QWidget {
  Q_OBJECT
 public:
  explicit KnownHostsView(Studio& studio, QWidget* parent = nullptr);

  void askForHosts();
  void checkAll();
  /// Every rank says hello, and speeds between the hosts are measured.
  void testLaunch();
  KnownHosts& hosts() { return m_hosts; }

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void refresh();
  void refreshAges();
  void probed(const QString& problem);
  QWidget* makeRow(const KnownHost& known);
  void check(const QString& host);
  void remove(const QString& host);

  Studio& m_studio;
  KnownHosts& m_hosts;
  EmptyState* m_empty;
  QWidget* m_list;
  QVBoxLayout* m_rows;
  std::string m_shown;              ///< what the rows were made for
  std::int64_t m_task = -1;         ///< a test launch; -1: none
  QHash<QString, bool> m_unfolded;  ///< hosts whose every check is shown
};

}  // namespace tessera::ui
