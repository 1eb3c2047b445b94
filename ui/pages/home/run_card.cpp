// SPDX-License-Identifier: MIT
#include "ui/pages/home/run_card.h"

#include <QAction>
#include <QEvent>
#include <QHBoxLayout>
#include <QMenu>
#include <QPushButton>
#include <QToolButton>

#include "core/history/time_left.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_feed.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/sparkline.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr int kButtons = 176;

QVBoxLayout* column(QWidget* above, QWidget* below) {
  auto* box = new QVBoxLayout;
  box->setSpacing(2);
  box->addWidget(above);
  box->addWidget(below);
  return box;
}

/// Room for every state in the language of the program, so that the columns of cards are in line.
int widestState() {
  int width = 0;
  StateBadge badge;
  for (int state = 0; state <= static_cast<int>(RunState::LostContact); ++state) {
    badge.setState(static_cast<RunState>(state));
    width = std::max(width, badge.sizeHint().width());
  }
  return width;
}

TextLabel* small(const QString& text) {
  return (new TextLabel(text, theme::TextSize::Caption))->setTone(TextLabel::Tone::Secondary);
}
}  // namespace

RunCard::RunCard(Studio& studio, const QString& id, QWidget* parent)
    : Card(parent),
      m_studio(studio),
      m_id(id),
      m_state(new StateBadge),
      m_name(new ElidedLabel(id)),
      m_detail(new ElidedLabel),
      m_curve(new Sparkline),
      m_step(new TextLabel),
      m_loss(new TextLabel),
      m_left(new TextLabel) {
  m_name->setFont(theme::font(theme::TextSize::Body, false, true));
  m_name->setMode(Qt::ElideMiddle);
  m_detail->setFont(theme::font(theme::TextSize::Caption));
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(theme::kGrid + theme::kHalf, theme::kGrid, theme::kGrid, theme::kGrid);
  row->setSpacing(theme::kGrid + theme::kHalf);
  auto* state = new QWidget;
  state->setFixedWidth(widestState());
  auto* inState = new QHBoxLayout(state);
  inState->setContentsMargins(0, 0, 0, 0);
  inState->addWidget(m_state);
  inState->addStretch();
  row->addWidget(state);
  row->addLayout(column(m_name, m_detail), 4);
  m_curve->setMinimumWidth(72);
  m_curve->setMaximumWidth(160);
  row->addWidget(m_curve, 1);
  for (const auto& [value, name, width] :
       {std::tuple{m_step, tr("Steps"), 92}, std::tuple{m_loss, tr("Loss"), 56},
        std::tuple{m_left, tr("Left"), 84}}) {
    value->setTabular();
    auto* cell = new QWidget;
    cell->setFixedWidth(width);
    auto* inside = column(value, small(name));
    inside->setContentsMargins(0, 0, 0, 0);
    cell->setLayout(inside);
    row->addWidget(cell);
  }
  row->addWidget(buttons());
}

QWidget* RunCard::buttons() {
  auto* box = new QWidget;
  auto* row = new QHBoxLayout(box);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kHalf);
  box->setMinimumWidth(kButtons);  // so that the columns of all cards are in line
  row->addStretch();
  m_open = new QPushButton(tr("Open"));
  m_again = new QPushButton;
  m_stop = new QToolButton;
  m_stop->setText(tr("Stop"));
  m_stop->setIcon(theme::icon(QStringLiteral("stop")));
  m_stop->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  m_stop->setPopupMode(QToolButton::MenuButtonPopup);
  m_stop->setMinimumHeight(theme::kRowHeight);
  m_stop->setToolTip(tr("Saves a checkpoint, then stops"));
  auto* menu = new QMenu(m_stop);
  connect(menu->addAction(tr("Save and stop")), &QAction::triggered, this,
          [this] { stop(Control::StopSaving); });
  connect(menu->addAction(tr("Stop now, without saving")), &QAction::triggered, this,
          [this] { stop(Control::StopNow); });
  m_stop->setMenu(menu);
  connect(m_stop, &QToolButton::clicked, this, [this] { stop(Control::StopSaving); });
  connect(m_open, &QPushButton::clicked, this, [this] {
    m_studio.navigator.open({QStringLiteral("monitor"), m_id, {}});
  });
  connect(m_again, &QPushButton::clicked, this, [this] {
    const RunRow* now = m_studio.runs.run(m_id);
    if (!now) return;
    now->state == RunState::LostContact ? m_studio.runs.refresh() : m_studio.launcher.resume(m_id);
    m_studio.navigator.toast(now->state == RunState::LostContact ? tr("Asking %1 again").arg(m_id)
                                                                 : tr("Resuming %1").arg(m_id));
  });
  for (QWidget* button : std::initializer_list<QWidget*>{m_again, m_stop, m_open}) {
    row->addWidget(button);
  }
  return box;
}

void RunCard::stop(Control control) {
  m_studio.launcher.control(m_id, control);
  m_studio.navigator.toast(control == Control::StopSaving ? tr("%1 saves and stops").arg(m_id)
                                                          : tr("%1 stops").arg(m_id));
}

void RunCard::showRow(const RunRow& row) {
  const bool live = isLive(row.state);
  const QString reason = engineWord(row.reason);
  m_state->setState(row.state, reason);
  // The id repeats the name: what is left of it tells runs of one name apart.
  const QString name = QString::fromStdString(row.name);
  const bool repeats = !name.isEmpty() && m_id.startsWith(name + u'-');
  m_name->setFullText(name.isEmpty() ? m_id : name);
  m_name->setToolTip(m_id);
  const QString age = numbers::ageOf(row.last_word);
  QString detail = live ? tr("last word %1").arg(age) : tr("ended %1").arg(age);
  if (row.last_word <= 0) detail = tr("made %1").arg(numbers::ageOf(row.created));
  const QString dot = QStringLiteral(" \u00b7 ");
  if (!row.host.empty()) detail = tr("on %1").arg(QString::fromStdString(row.host)) + dot + detail;
  if (!reason.isEmpty()) {
    detail = reason + dot + detail;
  } else if (!name.isEmpty()) {
    detail += dot + (repeats ? m_id.mid(name.size() + 1) : m_id);
  }
  m_detail->setFullText(detail);
  m_curve->setValues(row.sparkline, tr("Loss"));
  m_curve->setColor(theme::lineColor(m_id));
  showNumbers(row);
  showButtons(row);
}

void RunCard::showNumbers(const RunRow& row) {
  m_step->setText(row.step < 0 ? numbers::notMeasured()
                               : numbers::progress(row.step + 1, row.total_steps));
  m_loss->setText(numbers::fixed(row.loss, 3));
  m_loss->setToolTip(tr("Validation loss: %1").arg(numbers::fixed(row.validation_loss, 3)));
  followWhileLive(row);
  showLeft();
}

namespace {
constexpr int kCardHertz = 1;
}

/// The log of a live run tells how long its last steps took; it is the feed of whoever else shows
/// the run. It is not read while the card cannot be seen.
void RunCard::followWhileLive(const RunRow& row) {
  m_trains = row.state == RunState::Running || row.state == RunState::Saving;
  if (m_trains == (m_feed != nullptr)) return;
  if (m_feed) {
    m_feed->setCadence(0, this);
    disconnect(m_feed.get(), nullptr, this, nullptr);
    m_feed.reset();
    return;
  }
  m_feed = m_studio.runs.feed(m_id);
  if (!m_feed) return;
  m_feed->setCadence(isVisible() ? kCardHertz : 0, this);
  connect(m_feed.get(), &RunFeed::changed, this, &RunCard::showLeft);
}

void RunCard::showEvent(QShowEvent* event) {
  Card::showEvent(event);
  if (m_feed) m_feed->setCadence(kCardHertz, this);
}
void RunCard::hideEvent(QHideEvent* event) {
  Card::hideEvent(event);
  if (m_feed) m_feed->setCadence(0, this);
}

void RunCard::showLeft() {
  double left = kNotMeasured;
  if (m_trains && m_feed) {
    if (m_totalTokens == 0 && m_feed->spec()) m_totalTokens = total_tokens_of(*m_feed->spec());
    left = seconds_left(m_feed->history(), m_totalTokens);
  }
  m_left->setText(numbers::duration(left));
}

void RunCard::showButtons(const RunRow& row) {
  const bool live = isLive(row.state), lost = row.state == RunState::LostContact;
  const bool ended = row.state == RunState::Failed || row.state == RunState::Stopped;
  m_again->setVisible(lost || ended);
  m_again->setText(lost ? tr("Reconnect") : tr("Resume"));
  m_stop->setVisible(live);
  setEnabledBecause(
      m_stop, !lost && row.state != RunState::Stopping,
      lost ? tr("The machine it runs on does not answer") : tr("It is stopping already"));
}

void RunCard::changeEvent(QEvent* event) {
  Card::changeEvent(event);
  if (event->type() == QEvent::PaletteChange) m_curve->setColor(theme::lineColor(m_id));
}

void RunCard::mouseDoubleClickEvent(QMouseEvent*) {
  m_studio.navigator.open({QStringLiteral("monitor"), m_id, {}});
}

}  // namespace tessera::ui
