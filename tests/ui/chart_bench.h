// SPDX-License-Identifier: MIT
// Charts and experts against their budgets: measured as the user would wait for them, from the
// change to painted pixels.
#pragma once

#include <QString>
#include <vector>

namespace tessera::ui::test {

struct BudgetRow {
  QString what;
  double measured = 0, budget = 0;
  QString unit;
  bool holds() const { return measured <= budget; }
};

/// Needs a QApplication with the theme applied. Takes some seconds.
std::vector<BudgetRow> measureCharts();

}  // namespace tessera::ui::test
