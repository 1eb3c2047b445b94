// SPDX-License-Identifier: MIT
#include "ui/shell/desktop.h"

#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>
#include <QDBusVariant>

namespace tessera::ui {

namespace {
constexpr auto kPortal = "org.freedesktop.portal.Desktop";
constexpr auto kPortalPath = "/org/freedesktop/portal/desktop";
constexpr auto kSettings = "org.freedesktop.portal.Settings";
constexpr auto kAppearance = "org.freedesktop.appearance";
constexpr auto kScheme = "color-scheme";
constexpr auto kNotices = "org.freedesktop.Notifications";
constexpr auto kNoticesPath = "/org/freedesktop/Notifications";

/// The portal wraps its values once or twice, by version.
uint schemeOf(QVariant value) {
  while (value.canConvert<QDBusVariant>()) value = value.value<QDBusVariant>().variant();
  return value.toUInt();
}
}  // namespace

Desktop::Desktop(QObject* parent) : QObject(parent) {}

void Desktop::askScheme() {
  QDBusConnection bus = QDBusConnection::sessionBus();
  if (!bus.isConnected()) return;
  bus.connect(kPortal, kPortalPath, kSettings, QStringLiteral("SettingChanged"), this,
              SLOT(settingChanged(QString, QString, QDBusVariant)));
  QDBusMessage call =
      QDBusMessage::createMethodCall(kPortal, kPortalPath, kSettings, QStringLiteral("Read"));
  call << QString::fromLatin1(kAppearance) << QString::fromLatin1(kScheme);
  auto* waiting = new QDBusPendingCallWatcher(bus.asyncCall(call), this);
  connect(waiting, &QDBusPendingCallWatcher::finished, this, [this, waiting] {
    const QDBusPendingReply<QDBusVariant> reply = *waiting;
    waiting->deleteLater();
    if (reply.isValid()) {
      settingChanged(QString::fromLatin1(kAppearance), QString::fromLatin1(kScheme), reply.value());
    }
  });
}

void Desktop::settingChanged(const QString& group, const QString& key, const QDBusVariant& value) {
  if (group != QLatin1String(kAppearance) || key != QLatin1String(kScheme)) return;
  const uint scheme = schemeOf(value.variant());  // 1: dark, 2: light, 0: no preference
  if (scheme == 1 || scheme == 2) Q_EMIT schemeIsDark(scheme == 1);
}

void Desktop::notify(const QString& title, const QString& text, std::function<void()> activated) {
  QDBusConnection bus = QDBusConnection::sessionBus();
  if (!bus.isConnected()) return;
  if (!m_listening) {
    m_listening = true;
    bus.connect(kNotices, kNoticesPath, kNotices, QStringLiteral("ActionInvoked"), this,
                SLOT(actionInvoked(uint, QString)));
    bus.connect(kNotices, kNoticesPath, kNotices, QStringLiteral("NotificationClosed"), this,
                SLOT(notificationClosed(uint, uint)));
  }
  QDBusMessage call =
      QDBusMessage::createMethodCall(kNotices, kNoticesPath, kNotices, QStringLiteral("Notify"));
  const QStringList actions{QStringLiteral("default"), tr("Open")};
  const QVariantMap hints{{QStringLiteral("desktop-entry"), QStringLiteral("tessera-studio")}};
  // The body may hold markup: names of runs must not be read as such.
  call << QStringLiteral("Tessera Studio") << 0u << QStringLiteral("tessera-studio") << title
       << text.toHtmlEscaped() << actions << hints << -1;
  auto* waiting = new QDBusPendingCallWatcher(bus.asyncCall(call), this);
  connect(waiting, &QDBusPendingCallWatcher::finished, this,
          [this, waiting, activated = std::move(activated)] {
            const QDBusPendingReply<uint> reply = *waiting;
            waiting->deleteLater();
            if (reply.isValid() && activated) m_actions.insert(reply.value(), activated);
          });
}

void Desktop::actionInvoked(uint id, const QString& /*action*/) {
  if (const auto run = m_actions.take(id)) run();
}

void Desktop::notificationClosed(uint id, uint /*reason*/) {
  m_actions.remove(id);
}

}  // namespace tessera::ui
