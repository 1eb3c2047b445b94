// SPDX-License-Identifier: MIT
#include "ui/pages/experts/alarms_panel.h"

#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QSpinBox>
#include <QVBoxLayout>

#include "ui/bridge/desktop/preferences.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr std::size_t kMostRows = 200;
constexpr int kFlatList = 72;

QHBoxLayout* rowOf(QWidget* parent, const QString& before, QWidget* field, const QString& after) {
  auto* row = new QHBoxLayout;
  row->setSpacing(theme::kHalf);
  row->addWidget((new TextLabel(before, theme::TextSize::Caption, parent))
                     ->setTone(TextLabel::Tone::Secondary));
  row->addWidget(field);
  row->addWidget((new TextLabel(after, theme::TextSize::Caption, parent))
                     ->setTone(TextLabel::Tone::Secondary));
  row->addStretch(1);
  return row;
}
}  // namespace

AlarmsPanel::AlarmsPanel(Preferences& preferences, QWidget* parent)
    : QWidget(parent),
      m_deadTitle(new TextLabel({}, theme::TextSize::Body, this)),
      m_hotTitle(new TextLabel({}, theme::TextSize::Body, this)),
      m_steps(new QSpinBox(this)),
      m_times(new QDoubleSpinBox(this)),
      m_dead(new QListWidget(this)),
      m_hot(new QListWidget(this)) {
  m_steps->setRange(1, 100);
  m_steps->setValue(preferences.value(QStringLiteral("experts/dead_steps"), 5).toInt());
  m_steps->setAccessibleName(tr("Logged steps without a token that make an expert dead"));
  m_times->setRange(1.1, 100);
  m_times->setSingleStep(0.5);
  m_times->setDecimals(1);
  m_times->setValue(preferences.value(QStringLiteral("experts/hot_times"), 3.0).toDouble());
  m_times->setAccessibleName(tr("Times the mean load that make an expert hot"));
  m_dead->setAccessibleName(tr("Dead experts"));
  m_hot->setAccessibleName(tr("Hot experts"));
  m_parts = new QBoxLayout(QBoxLayout::TopToBottom, this);
  m_parts->setContentsMargins(0, 0, 0, 0);
  m_parts->setSpacing(theme::kGrid);
  const auto add = [this](QWidget* title, QLayout* limit, QWidget* list) {
    auto* part = new QVBoxLayout;
    part->setSpacing(theme::kHalf);
    part->addWidget(title);
    part->addLayout(limit);
    part->addWidget(list, 1);
    part->addStretch();
    m_parts->addLayout(part);
  };
  add(m_deadTitle, rowOf(this, tr("no token in"), m_steps, tr("logged steps")), m_dead);
  add(m_hotTitle, rowOf(this, tr("more than"), m_times, tr("x the mean")), m_hot);
  m_parts->addStretch();
  m_deadTitle->setToolTip(glossaryTip(QStringLiteral("dead_expert")));
  connect(m_steps, &QSpinBox::valueChanged, this, [this, &preferences](int value) {
    preferences.setValue(QStringLiteral("experts/dead_steps"), value);
    Q_EMIT thresholdsChanged();
  });
  connect(m_times, &QDoubleSpinBox::valueChanged, this, [this, &preferences](double value) {
    preferences.setValue(QStringLiteral("experts/hot_times"), value);
    Q_EMIT thresholdsChanged();
  });
  for (QListWidget* list : {m_dead, m_hot}) {
    list->setUniformItemSizes(true);
    list->setMinimumHeight(48);
    list->setFont(theme::font(theme::TextSize::Body, true));
    const auto choose = [this](const QListWidgetItem* item) {
      if (!item || !item->data(Qt::UserRole).isValid()) return;
      Q_EMIT chosen(item->data(Qt::UserRole).toInt(), item->data(Qt::UserRole + 1).toInt());
    };
    connect(list, &QListWidget::itemClicked, this, choose);
    connect(list, &QListWidget::itemActivated, this, choose);
  }
  setAlarms({}, {}, true, 0, {});
}

void AlarmsPanel::setFlat(bool flat) {
  m_parts->setDirection(flat ? QBoxLayout::LeftToRight : QBoxLayout::TopToBottom);
  for (QListWidget* list : {m_dead, m_hot}) {
    list->setMaximumHeight(flat ? kFlatList : QWIDGETSIZE_MAX);
  }
}

int AlarmsPanel::deadSteps() const {
  return m_steps->value();
}
double AlarmsPanel::hotTimes() const {
  return m_times->value();
}

void AlarmsPanel::setAlarms(const std::vector<ExpertAlarm>& dead,
                            const std::vector<ExpertAlarm>& hot, bool looking, int steps,
                            const QStringList& names) {
  if (looking) {
    m_deadTitle->setText(tr("Dead experts: reading"));
    m_deadTitle->setTone(TextLabel::Tone::Secondary);
  } else {
    QString title =
        tr("Dead experts: %1").arg(dead.empty() ? tr("none") : numbers::whole(qint64(dead.size())));
    if (steps < deadSteps()) title += tr(" (of %1 logged)").arg(steps);
    m_deadTitle->setText(title);
    m_deadTitle->setTone(dead.empty() ? TextLabel::Tone::Good : TextLabel::Tone::Bad);
  }
  m_hotTitle->setText(
      tr("Hot experts: %1").arg(hot.empty() ? tr("none") : numbers::whole(qint64(hot.size()))));
  m_hotTitle->setTone(hot.empty() ? TextLabel::Tone::Good : TextLabel::Tone::Warning);
  fill(m_dead, dead, names, false);
  fill(m_hot, hot, names, true);
}

void AlarmsPanel::fill(QListWidget* list, const std::vector<ExpertAlarm>& alarms,
                       const QStringList& names, bool ratios) {
  QStringList texts;
  for (std::size_t i = 0; i < std::min(alarms.size(), kMostRows); ++i) {
    const ExpertAlarm& a = alarms[i];
    const QString layer = a.layer < names.size() ? names[a.layer] : QString::number(a.layer);
    QString text = tr("%1 · expert %2").arg(layer).arg(a.expert);
    if (ratios) text += QStringLiteral(" · %1 x").arg(numbers::number(a.ratio, 3));
    texts << text;
  }
  if (alarms.size() > kMostRows) texts << tr("and %1 more").arg(alarms.size() - kMostRows);
  list->setVisible(!texts.isEmpty());
  // While playing this runs 15 times a second: rows are only made anew where they differ.
  while (list->count() > texts.size()) delete list->takeItem(list->count() - 1);
  while (list->count() < texts.size()) list->addItem(QString());
  for (int i = 0; i < texts.size(); ++i) {
    QListWidgetItem* item = list->item(i);
    if (item->text() != texts[i]) item->setText(texts[i]);
    const bool alarm = std::size_t(i) < alarms.size() && std::size_t(i) < kMostRows;
    item->setData(Qt::UserRole, alarm ? QVariant(alarms[std::size_t(i)].layer) : QVariant());
    item->setData(Qt::UserRole + 1, alarm ? QVariant(alarms[std::size_t(i)].expert) : QVariant());
  }
}

}  // namespace tessera::ui
