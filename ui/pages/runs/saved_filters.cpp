// SPDX-License-Identifier: MIT
#include "ui/pages/runs/saved_filters.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>

#include "ui/bridge/desktop/preferences.h"

namespace tessera::ui {

namespace {
constexpr const char* kKey = "runs/filters";

void write(Preferences& preferences, const std::vector<SavedFilter>& filters) {
  QJsonArray list;
  for (const SavedFilter& f : filters) {
    list.append(QJsonObject{{"name", f.name},
                            {"words", f.words},
                            {"state", f.state},
                            {"tag", f.tag},
                            {"group", f.group},
                            {"columns", QJsonArray::fromStringList(f.columns)}});
  }
  preferences.setValue(kKey, QString::fromUtf8(QJsonDocument(list).toJson(QJsonDocument::Compact)));
}
}  // namespace

std::vector<SavedFilter> savedFilters(const Preferences& preferences) {
  std::vector<SavedFilter> filters;
  const QByteArray text = preferences.value(kKey).toString().toUtf8();
  const QJsonArray list = QJsonDocument::fromJson(text).array();
  for (const QJsonValue value : list) {
    SavedFilter f{.name = value["name"].toString(),
                  .words = value["words"].toString(),
                  .state = value["state"].toString(),
                  .tag = value["tag"].toString(),
                  .group = value["group"].toString(),
                  .columns = {}};
    const QJsonArray columns = value["columns"].toArray();
    for (const QJsonValue column : columns) f.columns << column.toString();
    if (!f.name.isEmpty()) filters.push_back(std::move(f));
  }
  return filters;
}

void saveFilter(Preferences& preferences, const SavedFilter& filter) {
  std::vector<SavedFilter> filters = savedFilters(preferences);
  const auto same = std::find_if(filters.begin(), filters.end(),
                                 [&](const SavedFilter& f) { return f.name == filter.name; });
  if (same != filters.end()) {
    *same = filter;
  } else {
    filters.push_back(filter);
  }
  write(preferences, filters);
}

void removeFilter(Preferences& preferences, const QString& name) {
  std::vector<SavedFilter> filters = savedFilters(preferences);
  std::erase_if(filters, [&](const SavedFilter& f) { return f.name == name; });
  write(preferences, filters);
}

}  // namespace tessera::ui
