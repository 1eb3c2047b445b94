// SPDX-License-Identifier: MIT
// Desktop: what the session outside of the window offers, over D-Bus: its light or dark preference
// (xdg-desktop-portal) and its notifications (org.freedesktop.Notifications). Where either is
// missing nothing happens, and the window says everything itself.
#pragma once

#include <QDBusVariant>
#include <QHash>
#include <QObject>
#include <QString>
#include <functional>

namespace tessera::ui {

class Desktop : public QObject {
  Q_OBJECT
 public:
  explicit Desktop(QObject* parent = nullptr);

  /// Answered by schemeIsDark(), now and when it changes; never where the desktop does not say.
  void askScheme();
  /// `activated` runs when it is clicked.
  virtual void notify(const QString& title, const QString& text,
                      std::function<void()> activated = {});

 Q_SIGNALS:
  void schemeIsDark(bool dark);

 private Q_SLOTS:
  void settingChanged(const QString& group, const QString& key, const QDBusVariant& value);
  void actionInvoked(uint id, const QString& action);
  void notificationClosed(uint id, uint reason);

 private:
  QHash<uint, std::function<void()>> m_actions;
  bool m_listening = false;
};

}  // namespace tessera::ui
