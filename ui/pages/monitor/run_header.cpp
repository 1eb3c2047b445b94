// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/run_header.h"

#include <QHBoxLayout>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/history/time_left.h"
#include "core/spec/curriculum.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/widgets/chart/run_picker.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr int kLineageWidth = 260;
}  // namespace

QString stageText(const RunSpec& spec, std::int64_t step) {
  if (spec.curriculum.size() < 2 || step < 0) return {};
  try {
    const int stage = Curriculum(spec).at_step(step).stage;
    return RunHeader::tr("stage %1 of %2: %3")
        .arg(stage + 1)
        .arg(spec.curriculum.size())
        .arg(QString::fromStdString(spec.curriculum[std::size_t(stage)].name));
  } catch (const Error&) {
    return {};  // NOTE: a spec that cannot be scheduled is told by the Spec tab
  }
}

QString phaseText(const PhaseEvent& phase) {
  const std::pair<const char*, QString> names[] = {
      {"reading", RunHeader::tr("reading the data")},
      {"vocabulary", RunHeader::tr("training the vocabulary")},
      {"shards", RunHeader::tr("turning the text into tokens")},
      {"token shards", RunHeader::tr("turning the text into tokens")},
      {"validation", RunHeader::tr("measuring the validation loss")},
      {"sample", RunHeader::tr("writing a sample")},
  };
  QString text = QString::fromStdString(phase.phase);
  for (const auto& [name, words] : names) {
    if (phase.phase == name) text = words;
  }
  if (phase.total <= 0 && phase.done <= 0) return text;
  const auto amount = [&](std::int64_t value) {
    return phase.unit == "bytes" ? numbers::bytes(double(value)) : numbers::whole(value);
  };
  QString progress = phase.total > 0
                         ? RunHeader::tr("%1 of %2").arg(amount(phase.done), amount(phase.total))
                         : amount(phase.done);
  if (!phase.unit.empty() && phase.unit != "bytes") {
    progress += u' ' + QString::fromStdString(phase.unit);
  }
  return QStringLiteral("%1: %2").arg(text, progress);
}

double phaseShare(const PhaseEvent& phase) {
  if (phase.total <= 0) return 0;
  return std::clamp(double(phase.done) / double(phase.total), 0.0, 1.0);
}

QString mfuFormula(const RunHistory& history) {
  for (const Event& event : history.messages) {
    const auto* message = std::get_if<MessageEvent>(&event.body);
    if (!message) continue;
    const auto at = message->text.find("MFU =");
    if (at != std::string::npos) return QString::fromStdString(message->text.substr(at));
  }
  return {};
}

RunHeader::RunHeader(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_picker(new RunPicker(studio.runs, this)),
      m_badge(new StateBadge(RunState::Draft, this)),
      m_phase(new ElidedLabel({}, this)),
      m_lineage(new QPushButton(theme::icon(QStringLiteral("fork")), {}, this)),
      m_stop(new QPushButton(theme::icon(QStringLiteral("stop")), tr("Stop"), this)),
      m_pause(new QPushButton(theme::icon(QStringLiteral("pause")), tr("Pause"), this)),
      m_resume(new QPushButton(theme::icon(QStringLiteral("play")), tr("Resume"), this)),
      m_fork(new QPushButton(theme::icon(QStringLiteral("fork")), tr("Resume as a fork"), this)),
      m_chat(new QPushButton(theme::icon(QStringLiteral("chat")), tr("Open in Chat"), this)),
      m_experts(new QPushButton(theme::icon(QStringLiteral("experts")), tr("Experts"), this)),
      m_progress(new QProgressBar(this)) {
  buildButtons();
  const auto value = [this] {
    auto* label = new TextLabel({}, theme::TextSize::Body, this);
    label->setTabular();
    return label;
  };
  m_steps = value();
  m_left = value();
  m_rate = value();
  m_mfu = value();
  m_loss = value();
  m_age = value();
  m_mfuName = new GlossaryLabel(QStringLiteral("mfu"), tr("MFU"), this);
  m_progress->setTextVisible(false);
  m_progress->setFixedHeight(4);
  m_progress->setRange(0, 1000);
  m_progress->setAccessibleName(tr("Progress"));

  auto* top = new QHBoxLayout;
  top->setSpacing(theme::kGrid);
  top->addWidget(m_picker, 2);
  top->addWidget(m_badge);
  top->addWidget(m_phase, 3);
  top->addWidget(m_lineage);
  m_lineage->setFlat(true);
  m_lineage->hide();
  connect(m_lineage, &QPushButton::clicked, this, [this] { m_studio.selection.setRun(m_parent); });
  auto* buttons = new QHBoxLayout;
  buttons->setSpacing(theme::kHalf);
  for (QPushButton* b : {m_stop, m_pause, m_resume, m_fork}) buttons->addWidget(b);
  buttons->addStretch(1);
  for (QPushButton* b : {m_chat, m_experts}) buttons->addWidget(b);
  auto* numbers = new QHBoxLayout;
  numbers->setSpacing(theme::kGrid * 2);
  numbers->addWidget(m_steps);
  numbers->addWidget(m_left);
  numbers->addWidget(m_rate);
  auto* mfu = new QHBoxLayout;
  mfu->setSpacing(theme::kHalf);
  mfu->addWidget(m_mfuName);
  mfu->addWidget(m_mfu);
  numbers->addLayout(mfu);
  numbers->addWidget(m_loss);
  numbers->addStretch(1);
  numbers->addWidget(m_age);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(theme::kHalf);
  column->addLayout(top);
  column->addLayout(buttons);
  column->addLayout(numbers);
  column->addWidget(m_progress);

  connectParts();
}

void RunHeader::connectParts() {
  m_clock.setInterval(1000);
  connect(&m_clock, &QTimer::timeout, this, [this] {
    if (isVisible() && m_feed) refreshNumbers();  // also the age of what has ended
  });
  m_clock.start();
  connect(m_picker, &RunPicker::picked, this,
          [this](const QString& id) { m_studio.selection.setRun(id); });
  Launcher& launcher = m_studio.launcher;
  connect(&launcher, &Launcher::controlFailed, this,
          [this](const QString& id, const QString& message) {
            if (id != m_id) return;
            m_waiting.clear();
            m_askedIn.reset();
            refresh();
            m_studio.navigator.notify(QStringLiteral("error"), message);
          });
  connect(&launcher, &Launcher::started, this, [this](const QString& tag, const QString& id) {
    if (tag != m_tag || m_tag.isEmpty()) return;
    m_tag.clear();
    m_studio.selection.setRun(id);
    refresh();
  });
  connect(&launcher, &Launcher::startFailed, this,
          [this](const QString& tag, const QString& message) {
            if (tag != m_tag || m_tag.isEmpty()) return;
            m_tag.clear();
            m_waiting.clear();
            m_askedIn.reset();
            refresh();
            m_studio.navigator.notify(QStringLiteral("error"), message);
          });
}

void RunHeader::buildButtons() {
  auto* menu = new QMenu(this);
  connect(menu->addAction(tr("Save a checkpoint and stop")), &QAction::triggered, this,
          [this] { stop(false); });
  connect(menu->addAction(tr("Stop now, without saving")), &QAction::triggered, this,
          [this] { stop(true); });
  menu->setAccessibleName(tr("Stop"));
  m_stop->setMenu(menu);
  connect(m_pause, &QPushButton::clicked, this, [this] { togglePause(); });
  connect(m_resume, &QPushButton::clicked, this, [this] { resume(); });
  connect(m_fork, &QPushButton::clicked, this, [this] { fork(); });
  connect(m_chat, &QPushButton::clicked, this, [this] { openChat(); });
  connect(m_experts, &QPushButton::clicked, this, [this] { openExperts(); });
  m_fork->setToolTip(tr("A new run from a checkpoint of this one, with settings you change first"));
  m_experts->setToolTip(tr("How tokens spread over the experts, at the step picked here"));
}

void RunHeader::setFeed(const QString& id, std::shared_ptr<RunFeed> feed) {
  if (id != m_id) {
    m_waiting.clear();
    m_askedIn.reset();
  }
  m_id = id;
  m_feed = std::move(feed);
  m_totalTokens = 0;
  m_picker->setRun(id);
  refresh();
}

void RunHeader::setLineage(const QString& parent, const QString& name, std::int64_t step,
                           bool there) {
  m_parent = parent;
  m_lineage->setVisible(!parent.isEmpty());
  if (parent.isEmpty()) return;
  const QString text = tr("from %1, after %2 steps").arg(name, numbers::whole(step));
  m_lineage->setText(m_lineage->fontMetrics().elidedText(text, Qt::ElideMiddle, kLineageWidth));
  m_lineage->setAccessibleName(tr("Forked %1").arg(text));
  m_lineage->setToolTip(tr("Forked %1. Shows that run.").arg(text));
  setEnabledBecause(m_lineage, there, tr("%1 is not among the runs any more.").arg(name));
}

void RunHeader::refresh() {
  if (m_feed && m_askedIn && m_feed->status().state != *m_askedIn) {
    m_askedIn.reset();
    m_waiting.clear();
  }
  m_badge->setVisible(m_feed != nullptr);
  if (m_feed) {
    m_badge->setState(m_feed->status().state, engineWord(m_feed->status().reason));
  }
  refreshPhase();
  refreshButtons();
  refreshNumbers();
}

QString RunHeader::phaseOf() const {
  if (!m_feed) return {};
  if (!m_waiting.isEmpty()) return m_waiting;
  // A log that cannot be read makes everything else here untrue.
  if (!m_feed->loaded() && !m_feed->error().isEmpty()) return m_feed->error();
  const RunStatus& s = m_feed->status();
  const QString reason = engineWord(s.reason);
  if (s.state == RunState::Failed && s.rank >= 0) {
    return tr("rank %1: %2").arg(s.rank).arg(reason);
  }
  if (!reason.isEmpty()) return reason;
  if (!isLive(s.state)) return {};
  QStringList parts;
  if (s.phase) {
    parts << phaseText(*s.phase);
  } else if (s.state == RunState::Starting) {
    parts << tr("reading data, planning memory");
  } else if (const RunSpec* spec = m_feed->spec()) {
    if (const QString stage = stageText(*spec, s.step); !stage.isEmpty()) parts << stage;
  }
  return parts.join(QStringLiteral(", "));
}

void RunHeader::refreshPhase() {
  m_phase->setFullText(phaseOf());
}

void RunHeader::refreshButtons() {
  const bool known = m_feed && m_feed->folder();
  const RunStatus status = m_feed ? m_feed->status() : RunStatus();
  const RunState state = status.state;
  const bool live = known && isLive(state) && state != RunState::LostContact;
  const bool asked = !m_waiting.isEmpty();
  const QString noRun = tr("No run is picked.");
  const QString ended = known ? tr("The run is not running: %1.").arg(stateWord(state)) : noRun;
  const QString wait = tr("Already asked: the run answers between two steps.");
  setEnabledBecause(m_stop, live && !asked, asked ? wait : ended);
  const bool paused = state == RunState::Paused;
  m_pause->setText(paused ? tr("Continue") : tr("Pause"));
  m_pause->setIcon(theme::icon(paused ? QStringLiteral("play") : QStringLiteral("pause")));
  const bool canPause = live && (paused || state == RunState::Running);
  setEnabledBecause(m_pause, canPause && !asked,
                    asked  ? wait
                    : live ? tr("It can be paused while it trains.")
                           : ended);
  QString whyNot = noRun;
  if (known && live) whyNot = tr("The run is running.");
  if (known && !live) {
    whyNot = state == RunState::Finished ? tr("The run has finished: fork it to train on.")
                                         : tr("There is no whole checkpoint to resume from.");
  }
  setEnabledBecause(m_resume, known && status.can_resume && !asked && state != RunState::Finished,
                    asked ? wait : whyNot);
  const bool saved = known && !m_feed->history().checkpoints.empty();
  const QString unsaved = known ? tr("The run has not saved a checkpoint yet.") : noRun;
  setEnabledBecause(m_fork, saved, unsaved);
  setEnabledBecause(m_chat, saved, unsaved);
  setEnabledBecause(m_experts, known, noRun);
}

void RunHeader::refreshNumbers() {
  if (!m_feed) {
    for (TextLabel* l : {m_steps, m_left, m_rate, m_mfu, m_loss, m_age}) l->setText({});
    m_mfuName->hide();
    m_progress->setValue(0);
    return;
  }
  const RunStatus& s = m_feed->status();
  const RunHistory& h = m_feed->history();
  // The last event may name the next step, as checkpoints do.
  std::int64_t done = h.rows() > 0 ? h.step.back() + 1 : s.step + 1;
  if (s.total_steps > 0) done = std::min(done, s.total_steps);
  m_steps->setText(h.rows() == 0 && isLive(s.state)
                       ? tr("No step yet")
                       : tr("%1 steps").arg(numbers::progress(done, s.total_steps)));
  double share = s.total_steps > 0 ? double(done) / double(s.total_steps) : 0;
  // Before the first step the bar is that of what the run does meanwhile.
  const bool preparing = s.phase && isLive(s.state);
  if (preparing) share = phaseShare(*s.phase);
  m_progress->setValue(int(std::lround(share * 1000)));
  const bool live = isLive(s.state);
  const bool trains = s.state == RunState::Running || s.state == RunState::Saving;
  if (m_totalTokens == 0 && m_feed->spec()) m_totalTokens = total_tokens_of(*m_feed->spec());
  const double left = trains ? seconds_left(h, m_totalTokens) : kNotMeasured;
  m_left->setText(std::isfinite(left) ? tr("%1 left").arg(numbers::duration(left))
                                      : tr("%1 trained").arg(numbers::tokens(double(s.tokens))));
  m_rate->setText(s.tokens_per_second > 0 ? numbers::rate(s.tokens_per_second, tr("tokens/s"))
                                          : QString());
  const Series& mfu = h.metric(Metric::Mfu);
  const double lastMfu = mfu.empty() ? std::nan("") : double(mfu.at(mfu.size() - 1));
  m_mfuName->setVisible(std::isfinite(lastMfu));
  m_mfu->setText(std::isfinite(lastMfu) ? numbers::percent(lastMfu / 100) : QString());
  const QString formula = mfuFormula(h);
  const QString tip =
      glossaryTip(QStringLiteral("mfu")) +
      (formula.isEmpty() ? QString() : QStringLiteral("<p>") + formula.toHtmlEscaped());
  m_mfuName->setToolTip(tip);
  m_mfu->setToolTip(tip);
  m_loss->setText(std::isfinite(s.loss) ? tr("loss %1").arg(numbers::fixed(s.loss, 4)) : QString());
  const double age = s.age_seconds();
  m_age->setText(s.last_word > 0
                     ? (live && age < 3 ? tr("live") : tr("last word %1").arg(numbers::age(age)))
                     : QString());
  const bool silent = live && age > 60;
  m_age->setTone(silent ? TextLabel::Tone::Warning : TextLabel::Tone::Secondary);
  for (TextLabel* l : {m_left, m_rate, m_mfu}) {
    l->setTone(silent ? TextLabel::Tone::Secondary : TextLabel::Tone::Plain);
  }
}

void RunHeader::ask(Control control, const QString& waiting) {
  if (!m_feed) return;
  m_waiting = waiting;
  m_askedIn = m_feed->status().state;
  m_studio.launcher.control(m_id, control);
  refresh();
}

void RunHeader::stop(bool now) {
  ask(now ? Control::StopNow : Control::StopSaving,
      now ? tr("asked to stop without saving") : tr("asked to save and stop"));
}

void RunHeader::togglePause() {
  if (!m_feed) return;
  if (m_feed->status().state == RunState::Paused) {
    ask(Control::Resume, tr("asked to go on"));
  } else {
    ask(Control::Pause, tr("asked to pause"));
  }
}

void RunHeader::resume() {
  if (!m_feed) return;
  m_waiting = tr("starting from its newest checkpoint");
  m_askedIn = m_feed->status().state;
  m_tag = QStringLiteral("monitor-resume-") + m_id;
  m_studio.launcher.resume(m_id, m_tag);
  refresh();
}

void RunHeader::fork(std::int64_t step) {
  Location to{QStringLiteral("configure"), {}, {{QStringLiteral("fork"), m_id}}};
  if (step >= 0) to.arguments.insert(QStringLiteral("step"), QString::number(step));
  m_studio.navigator.open(to);
}

void RunHeader::openChat(const QString& checkpoint) {
  Location to{QStringLiteral("chat"), m_id, {}};
  if (!checkpoint.isEmpty()) to.arguments.insert(QStringLiteral("checkpoint"), checkpoint);
  m_studio.navigator.open(to);
}

void RunHeader::openExperts() {
  Location to{QStringLiteral("experts"), m_id, {}};
  const std::int64_t step = m_studio.selection.step();
  if (step >= 0) to.arguments.insert(QStringLiteral("step"), QString::number(step));
  m_studio.navigator.open(to);
}

}  // namespace tessera::ui
