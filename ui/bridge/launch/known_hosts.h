// SPDX-License-Identifier: MIT
// KnownHosts: the hosts that a user keeps, read and changed by a worker, and checked by the program
// as in a terminal, so that nothing that a host does not answer can hold up the window.
#pragma once

#include <QHash>
#include <QObject>
#include <QString>
#include <functional>
#include <memory>
#include <vector>

#include "core/launch/host_book.h"

class QProcess;

namespace tessera::ui {

class Mailbox;
class WorkerThread;

class KnownHosts : public QObject {
  Q_OBJECT
 public:
  explicit KnownHosts(QObject* parent = nullptr);
  ~KnownHosts() override;
  /// The one that belongs to `owner`, made where there is none.
  static KnownHosts& of(QObject& owner);

  const std::vector<KnownHost>& hosts() const { return m_hosts; }
  bool loaded() const { return m_loaded; }
  bool isChecking(const QString& host) const { return m_checks.contains(host); }

  /// As a terminal may have changed them; answered by changed() or failed().
  void refresh();
  /// A list such as "a,node[01-04]".
  void add(const QString& list);
  void remove(const QString& host);
  /// Runs `tessera hosts check`; several hosts at once, one check of each.
  void check(const QString& program, const QString& host);
  static QStringList checkArguments(const QString& host);
  /// Runs `tessera hosts probe` over all that are kept: a rank on each says hello, and how fast
  /// they send to each other is kept. Answered by probed().
  void probe(const QString& program);
  void cancelProbe();
  bool isProbing() const { return m_probe != nullptr; }

 Q_SIGNALS:
  void changed();                       ///< hosts, or what is being checked
  void probed(const QString& problem);  ///< empty: all have said hello
  void failed(const QString& message);

 private:
  void edit(const std::function<void(HostBook&)>& change);
  void ended(const QString& host, const QString& problem);

  std::shared_ptr<Mailbox> m_mailbox;
  QObject* m_worker;
  std::unique_ptr<WorkerThread> m_thread;
  std::vector<KnownHost> m_hosts;
  QHash<QString, QProcess*> m_checks;  ///< by host
  QProcess* m_probe = nullptr;
  bool m_loaded = false;
};

}  // namespace tessera::ui
