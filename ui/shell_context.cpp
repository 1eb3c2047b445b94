// SPDX-License-Identifier: MIT
#include "ui/shell_context.h"

#include <QUrlQuery>

namespace tessera::ui {

QString Location::text() const {
  QUrlQuery query;
  if (!subject.isEmpty()) query.addQueryItem(QStringLiteral("view"), page);
  for (auto it = arguments.begin(); it != arguments.end(); ++it) {
    query.addQueryItem(it.key(), QString::fromLatin1(QUrl::toPercentEncoding(it.value())));
  }
  const QString path =
      subject.isEmpty() ? QStringLiteral("page/") + page : QStringLiteral("run/") + subject;
  return query.isEmpty() ? path : path + u'?' + query.query(QUrl::FullyEncoded);
}

Location Location::fromText(const QString& text) {
  QString rest = text.trimmed();
  const QString scheme = QStringLiteral("tessera:");
  if (rest.startsWith(scheme)) rest = rest.mid(scheme.size());
  while (rest.startsWith(u'/')) rest.remove(0, 1);
  const qsizetype mark = rest.indexOf(u'?');
  const QString path = rest.left(mark < 0 ? rest.size() : mark);
  Location location;
  if (mark >= 0) {
    const QUrlQuery query(rest.mid(mark + 1));
    for (const auto& [key, value] : query.queryItems(QUrl::FullyDecoded)) {
      if (!key.isEmpty()) location.arguments.insert(key, value);
    }
  }
  const qsizetype slash = path.indexOf(u'/');
  const QString kind = path.left(slash), name = slash < 0 ? QString() : path.mid(slash + 1);
  if (kind == QLatin1String("run") && !name.isEmpty()) {
    location.subject = name;
    const QString view = location.arguments.take(QStringLiteral("view"));
    location.page = view.isEmpty() ? QStringLiteral("monitor") : view;
  } else if (kind == QLatin1String("page") && !name.isEmpty()) {
    location.page = name;
  } else {
    location.arguments.clear();
  }
  return location;
}

void Selection::setRun(const QString& id) {
  if (id == m_run) return;
  m_run = id;
  const bool hadStep = m_step >= 0;
  m_step = -1;
  Q_EMIT runChanged(m_run);
  if (hadStep) Q_EMIT stepChanged(m_step);
}

void Selection::setStep(std::int64_t step) {
  step = std::max<std::int64_t>(step, -1);
  if (step == m_step) return;
  m_step = step;
  Q_EMIT stepChanged(m_step);
}

}  // namespace tessera::ui
