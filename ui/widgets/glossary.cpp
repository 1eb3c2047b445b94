// SPDX-License-Identifier: MIT
#include "ui/widgets/glossary.h"

#include <QHash>
#include <QLocale>
#include <QPainter>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/spec/toml.h"
#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {

using Entries = QHash<QString, GlossaryEntry>;

/// Other names of terms.
QHash<QString, QString>& aliases() {
  static QHash<QString, QString> all;
  return all;
}

QString text(const toml::table& table, const char* key) {
  return QString::fromStdString(table[key].value_or(std::string())).simplified();
}

void read(const std::filesystem::path& file, Entries& entries) {
  if (!std::filesystem::exists(file)) return;
  const toml::table all = spec::parse_toml(read_file(file), file.string());
  for (const auto& [key, node] : all) {
    const toml::table* table = node.as_table();
    if (!table) continue;
    const QString term = QString::fromStdString(std::string(key.str()));
    GlossaryEntry& entry = entries[term];
    entry.term = term;
    if (table->contains("title")) entry.title = text(*table, "title");
    if (table->contains("text")) entry.text = text(*table, "text");
    if (table->contains("source")) entry.source = text(*table, "source");
    const toml::array* also = (*table)["also"].as_array();
    for (std::size_t i = 0; also && i < also->size(); ++i) {
      aliases().insert(QString::fromStdString(also->get(i)->value_or(std::string())), term);
    }
  }
}

Entries load() {
  Entries entries;
  try {
    const std::filesystem::path folder = resources_folder();
    read(folder / "glossary.toml", entries);
    // A translation says again what it has; the rest stays English.
    const std::string language = QLocale().name().left(2).toStdString();
    read(folder / ("glossary." + language + ".toml"), entries);
  } catch (const std::exception& error) {
    qWarning("the glossary cannot be read: %s", error.what());
  }
  return entries;
}

/// Read when they are first asked for: a window that is made anew has enough to do.
std::optional<Entries>& kept() {
  static std::optional<Entries> all;
  return all;
}
const Entries& entries() {
  if (!kept()) kept() = load();
  return *kept();
}

}  // namespace

const GlossaryEntry* glossaryEntry(const QString& term) {
  const Entries& all = entries();
  const QString key = QString(term).replace(u'_', u'-');
  const auto it = all.constFind(aliases().value(key, key));
  return it == all.constEnd() ? nullptr : &*it;
}

QStringList glossaryTerms() {
  QStringList terms = entries().keys();
  terms.sort();
  return terms;
}

QString glossaryTip(const QString& term) {
  const GlossaryEntry* entry = glossaryEntry(term);
  if (!entry) return {};
  // Rich text, so that the tip is wrapped.
  QString tip = QStringLiteral("<p><b>%1</b></p><p>%2</p>")
                    .arg(entry->title.toHtmlEscaped(), entry->text.toHtmlEscaped());
  if (!entry->source.isEmpty()) {
    tip += QStringLiteral("<p><i>%1</i></p>").arg(entry->source.toHtmlEscaped());
  }
  return tip;
}

void reloadGlossary() {
  kept().reset();
}

GlossaryLabel::GlossaryLabel(const QString& term, const QString& text, QWidget* parent)
    : QLabel(text, parent) {
  setTextFormat(Qt::PlainText);
  setFocusPolicy(Qt::NoFocus);
  setTerm(term);
}

void GlossaryLabel::setTerm(const QString& term) {
  m_term = term;
  const GlossaryEntry* entry = glossaryEntry(term);
  if (text().isEmpty()) setText(entry ? entry->title : term);
  setToolTip(glossaryTip(term));
  setAccessibleDescription(entry ? entry->text : QString());
  setCursor(entry ? Qt::WhatsThisCursor : Qt::ArrowCursor);
  update();
}

void GlossaryLabel::paintEvent(QPaintEvent* event) {
  QLabel::paintEvent(event);
  if (toolTip().isEmpty() || wordWrap()) return;
  QPainter painter(this);
  painter.setPen(QPen(theme::colors().textDisabled, 1, Qt::DotLine));
  const QRect in = contentsRect();
  const int wide = std::min(fontMetrics().horizontalAdvance(text()), in.width());
  const int left = alignment().testFlag(Qt::AlignRight) ? in.right() - wide : in.left();
  const int base = in.center().y() + fontMetrics().ascent() / 2 + 2;
  painter.drawLine(left, base, left + wide, base);
}

}  // namespace tessera::ui
