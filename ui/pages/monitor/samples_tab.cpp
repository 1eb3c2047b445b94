// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/samples_tab.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <set>

#include "ui/theme/theme.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

SamplesTab::SamplesTab(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_stack(new QStackedWidget(this)),
      m_steps(new QListWidget(this)),
      m_prompt(new QComboBox(this)),
      m_text(new QPlainTextEdit(this)) {
  auto* empty = new EmptyState(
      tr("No samples: samples.every_steps and samples.prompts make a run write some as it learns."),
      tr("Talk to a checkpoint instead"), QStringLiteral("chat"), this);
  connect(empty, &EmptyState::pressed, this, [this] {
    m_studio.navigator.open({QStringLiteral("chat"), m_feed ? m_feed->id() : QString(), {}});
  });
  auto* content = new QWidget(this);
  m_steps->setFixedWidth(140);
  m_steps->setFont(theme::font(theme::TextSize::Body, true));
  m_steps->setAccessibleName(tr("Steps with samples"));
  m_text->setReadOnly(true);
  m_text->setAccessibleName(tr("Samples"));
  m_prompt->setAccessibleName(tr("Prompt"));
  m_prompt->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  m_prompt->setMinimumContentsLength(20);
  auto* right = new QVBoxLayout;
  right->setSpacing(theme::kGrid);
  right->addWidget(m_prompt);
  right->addWidget(m_text, 1);
  auto* row = new QHBoxLayout(content);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kGrid);
  row->addWidget(m_steps);
  row->addLayout(right, 1);
  m_stack->addWidget(empty);
  m_stack->addWidget(content);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->addWidget(m_stack);
  connect(m_steps, &QListWidget::currentRowChanged, this, [this](int at) {
    showCurrent();
    if (at < 0 || !m_steps->hasFocus()) return;
    m_studio.selection.setStep(m_steps->item(at)->data(Qt::UserRole).toLongLong());
  });
  connect(m_prompt, &QComboBox::currentIndexChanged, this, [this] { showCurrent(); });
  connect(&studio.selection, &Selection::stepChanged, this,
          [this](std::int64_t step) { showStep(step); });
}

void SamplesTab::setFeed(std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  m_feed = std::move(feed);
  m_count = static_cast<std::size_t>(-1);
  if (m_feed) {
    connect(m_feed.get(), &RunFeed::changed, this, [this] { refresh(); });
    connect(m_feed.get(), &RunFeed::rewritten, this,
            [this] { m_count = static_cast<std::size_t>(-1); });
  }
  refresh();
}

void SamplesTab::refresh() {
  const std::size_t count = m_feed ? m_feed->history().samples.size() : 0;
  if (count == m_count) return;
  m_count = count;
  m_stack->setCurrentIndex(count > 0 ? 1 : 0);
  const QSignalBlocker one(m_steps), two(m_prompt);
  const bool newest = m_steps->currentRow() <= 0;
  const QVariant kept =
      m_steps->currentItem() ? m_steps->currentItem()->data(Qt::UserRole) : QVariant();
  const QString prompt = m_prompt->currentData().toString();
  m_steps->clear();
  m_prompt->clear();
  m_prompt->addItem(tr("All prompts"), QString());
  std::set<std::int64_t, std::greater<>> steps;
  QStringList prompts;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& sample = std::get<SampleEvent>(m_feed->history().samples[i].body);
    steps.insert(sample.step);
    const QString text = QString::fromStdString(sample.prompt);
    if (!prompts.contains(text)) prompts << text;
  }
  for (const std::int64_t step : steps) {
    auto* item = new QListWidgetItem(tr("step %1").arg(numbers::whole(step)), m_steps);
    item->setData(Qt::UserRole, qlonglong(step));
    if (!newest && kept == item->data(Qt::UserRole)) m_steps->setCurrentItem(item);
  }
  for (const QString& p : prompts) m_prompt->addItem(p.simplified().left(80), p);
  m_prompt->setCurrentIndex(std::max(0, m_prompt->findData(prompt)));
  if (m_steps->currentRow() < 0 && m_steps->count() > 0) m_steps->setCurrentRow(0);
  showCurrent();
}

void SamplesTab::showCurrent() {
  const QListWidgetItem* item = m_steps->currentItem();
  if (!m_feed || !item) return m_text->clear();
  const std::int64_t step = item->data(Qt::UserRole).toLongLong();
  const QString prompt = m_prompt->currentData().toString();
  QString text;
  for (const Event& event : m_feed->history().samples) {
    const auto& sample = std::get<SampleEvent>(event.body);
    const QString asked = QString::fromStdString(sample.prompt);
    if (sample.step != step || (!prompt.isEmpty() && asked != prompt)) continue;
    if (!text.isEmpty()) text += QStringLiteral("\n\n\u2500\u2500\u2500\n\n");
    text += asked + QStringLiteral(" \u2502 ") + QString::fromStdString(sample.text);
  }
  m_text->setPlainText(text);
}

void SamplesTab::showStep(std::int64_t step) {
  if (step < 0) return;
  for (int i = 0; i < m_steps->count(); ++i) {
    if (m_steps->item(i)->data(Qt::UserRole).toLongLong() > step) continue;
    m_steps->setCurrentRow(i);
    return;
  }
}

}  // namespace tessera::ui
