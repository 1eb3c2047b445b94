// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/alert_rules.h"

#include <algorithm>
#include <cmath>

#include "ui/bridge/desktop/preferences.h"

namespace tessera::ui {

namespace {
constexpr const char* kActions[] = {"nothing", "tell", "stop"};

QString keyOf(AlertKind kind, const char* what) {
  return QStringLiteral("alerts/%1_%2")
      .arg(QLatin1String(alert_info(kind).id), QLatin1String(what));
}
}  // namespace

AlertRules alertRules(const Preferences& preferences) {
  AlertRules rules;
  for (std::size_t k = 0; k < kAlertKinds; ++k) {
    const auto kind = static_cast<AlertKind>(k);
    const AlertInfo& info = alert_info(kind);
    const QString action = preferences.value(keyOf(kind, "action")).toString();
    const auto known = std::find(std::begin(kActions), std::end(kActions), action);
    if (known != std::end(kActions)) {
      rules[k].action = static_cast<AlertRule::Action>(known - std::begin(kActions));
    }
    const double limit = preferences.value(keyOf(kind, "limit"), info.usual_limit).toDouble();
    rules[k].limit =
        std::isfinite(limit) ? std::clamp(limit, info.least, info.most) : info.usual_limit;
  }
  return rules;
}

void setAlertRule(Preferences& preferences, AlertKind kind, const AlertRule& rule) {
  preferences.setValue(keyOf(kind, "action"),
                       QLatin1String(kActions[static_cast<std::size_t>(rule.action)]));
  preferences.setValue(keyOf(kind, "limit"), rule.limit);
}

bool isAlertKey(const QString& key) {
  return key == QLatin1String("alerts") || key.startsWith(QLatin1String("alerts/"));
}

}  // namespace tessera::ui
