// SPDX-License-Identifier: MIT
// Filters of the table of runs that were given a name, kept with the preferences.
#pragma once

#include <QString>
#include <QStringList>
#include <vector>

namespace tessera::ui {

class Preferences;

/// What is shown of the runs, and how.
struct SavedFilter {
  QString name;
  QString words, state, tag;  ///< as chosen above the table; the state by its English word
  QString group;        ///< column by which runs are grouped, as RunsModel::keyOf(); empty: none
  QStringList columns;  ///< extra ones, as in RunColumns
  bool operator==(const SavedFilter&) const = default;
};

/// In the order in which they were saved. What cannot be read is left out.
std::vector<SavedFilter> savedFilters(const Preferences& preferences);
/// One with the same name is replaced.
void saveFilter(Preferences& preferences, const SavedFilter& filter);
void removeFilter(Preferences& preferences, const QString& name);

}  // namespace tessera::ui
