// SPDX-License-Identifier: MIT
#include "ui/pages/runs/column_dialog.h"

#include <QDialogButtonBox>
#include <QTreeWidget>
#include <QTreeWidgetItemIterator>
#include <QVBoxLayout>

#include "core/history/library.h"
#include "core/history/metrics.h"
#include "core/spec/spec_table.h"
#include "ui/models/runs_model.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {
constexpr int kKeyRole = Qt::UserRole;         ///< key of an extra column
constexpr int kColumnRole = Qt::UserRole + 1;  ///< number of a usual one

QString keyOf(std::string_view kind, const QString& name) {
  return QString::fromUtf8(kind.data(), static_cast<qsizetype>(kind.size())) + name;
}
}  // namespace

ColumnDialog::ColumnDialog(const std::vector<Usual>& usual, const QStringList& extra,
                           QWidget* parent)
    : QDialog(parent),
      m_list(new QTreeWidget(this)),
      m_search(new SearchField(tr("Find a column"), 120, this)),
      m_extra(extra) {
  setWindowTitle(tr("Columns of the table"));
  setAttribute(Qt::WA_DeleteOnClose);
  resize(460, 560);
  auto* column = new QVBoxLayout(this);
  column->setSpacing(theme::kGrid);
  column->addWidget(m_search);
  column->addWidget(m_list, 1);
  auto* hint = new TextLabel(tr("Space shows or hides the column that is chosen here."),
                             theme::TextSize::Caption, this);
  hint->setTone(TextLabel::Tone::Secondary)->setWrapped();
  column->addWidget(hint);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  column->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);

  m_search->setAccessibleName(tr("Find a column"));
  m_list->setAccessibleName(tr("Columns"));
  m_list->setHeaderHidden(true);
  m_usual = addPart(tr("Every run has these"));
  m_metrics = addPart(tr("Metrics, their last value"));
  m_settings = addPart(tr("Settings"));
  for (std::size_t c = 1; c < usual.size(); ++c) {
    addChoice(m_usual, usual[c].title, {}, usual[c].shown);
    m_usual->child(m_usual->childCount() - 1)->setData(0, kColumnRole, static_cast<int>(c));
  }
  for (std::size_t m = 0; m < kMetricCount; ++m) {
    const QString key = keyOf(kMetricColumn, QLatin1String(metric_info(static_cast<Metric>(m)).id));
    addChoice(m_metrics, RunsModel::titleOf(key), key, extra.contains(key));
  }
  m_list->expandAll();
  m_list->setCurrentItem(m_usual->child(0));
  connect(m_list, &QTreeWidget::itemChanged, this, [this](QTreeWidgetItem* item) { take(item); });
  connect(m_search, &SearchField::searched, this, [this](const QString& words) { search(words); });
  connect(m_search, &SearchField::left, this, [this] { m_list->setFocus(); });
  m_search->setFocus();
}

QTreeWidgetItem* ColumnDialog::addPart(const QString& title) {
  auto* part = new QTreeWidgetItem(m_list, {title});
  part->setFlags(Qt::ItemIsEnabled);
  part->setFont(0, theme::font(theme::TextSize::Caption));
  part->setSizeHint(0, QSize(0, theme::kRowHeight));
  return part;
}

void ColumnDialog::addChoice(QTreeWidgetItem* part, const QString& title, const QString& key,
                             bool shown) {
  auto* item = new QTreeWidgetItem(part, {title});
  item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable);
  item->setCheckState(0, shown ? Qt::Checked : Qt::Unchecked);
  item->setData(0, kKeyRole, key);
  item->setSizeHint(0, QSize(0, theme::kRowHeight));
}

/// Those that are shown stay in the list although no run of the newest has them.
void ColumnDialog::setSettings(const QStringList& names) {
  const QSignalBlocker quiet(m_list);
  for (QTreeWidgetItem* old : m_settings->takeChildren()) delete old;
  QStringList all = names;
  for (const QString& key : m_extra) {
    const QString name = key.section(u'/', 1);
    if (key == keyOf(kSettingColumn, name) && !all.contains(name)) all << name;
  }
  for (const QString& name : all) {
    const QString key = keyOf(kSettingColumn, name);
    addChoice(m_settings, name, key, m_extra.contains(key));
    if (const spec::Key* known = spec::find_key(name.toStdString())) {
      m_settings->child(m_settings->childCount() - 1)->setToolTip(0, engineWord(known->help));
    }
  }
  m_settings->setText(0, all.isEmpty() ? tr("Settings: no run has been read yet") : tr("Settings"));
  search(m_search->text());
}

void ColumnDialog::take(QTreeWidgetItem* item) {
  const bool shown = item->checkState(0) == Qt::Checked;
  const QString key = item->data(0, kKeyRole).toString();
  if (key.isEmpty()) {
    Q_EMIT usualToggled(item->data(0, kColumnRole).toInt(), shown);
    return;
  }
  m_extra.removeAll(key);
  if (shown) m_extra << key;
  Q_EMIT extraChanged(m_extra);
}

void ColumnDialog::search(const QString& words) {
  for (QTreeWidgetItem* part : {m_usual, m_metrics, m_settings}) {
    bool any = false;
    for (int i = 0; i < part->childCount(); ++i) {
      const bool found = part->child(i)->text(0).contains(words, Qt::CaseInsensitive);
      part->child(i)->setHidden(!found);
      any |= found;
    }
    part->setHidden(!any && !words.isEmpty());
  }
  // Space changes the current column: never one that the search has put out of sight.
  QTreeWidgetItem* now = m_list->currentItem();
  if (now && now->parent() && !now->isHidden()) return;
  m_list->setCurrentItem(nullptr);
  const QTreeWidgetItemIterator first(
      m_list, QTreeWidgetItemIterator::Selectable | QTreeWidgetItemIterator::NotHidden);
  if (*first) m_list->setCurrentItem(*first);
}

}  // namespace tessera::ui
