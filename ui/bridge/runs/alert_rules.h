// SPDX-License-Identifier: MIT
// What is done about each kind of alert, kept with the preferences.
#pragma once

#include <QString>
#include <array>

#include "core/history/alerts.h"

namespace tessera::ui {

class Preferences;

struct AlertRule {
  enum class Action : std::uint8_t { Nothing, Tell, TellAndStop };
  Action action = Action::Tell;
  double limit = 0;  ///< in the unit of the kind
  bool operator==(const AlertRule&) const = default;
};

using AlertRules = std::array<AlertRule, kAlertKinds>;

/// The usual ones where nothing was chosen, or where what stands there is none.
AlertRules alertRules(const Preferences& preferences);
void setAlertRule(Preferences& preferences, AlertKind kind, const AlertRule& rule);
/// Whether a preference belongs to the rules.
bool isAlertKey(const QString& key);

}  // namespace tessera::ui
