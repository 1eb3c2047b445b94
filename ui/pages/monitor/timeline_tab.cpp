// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/timeline_tab.h"

#include <QClipboard>
#include <QDesktopServices>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QStackedLayout>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>
#include <system_error>

#include "core/base/error.h"
#include "ui/pages/monitor/timeline_plot.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/background.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
/// The colour of a kind of work.
class KindSwatch : public QWidget {
 public:
  KindSwatch(TimelineKind kind, QWidget* parent) : QWidget(parent), m_kind(kind) {
    setFixedSize(14, 10);
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    painter.fillRect(rect(), timelineKindColor(m_kind));
  }

 private:
  TimelineKind m_kind;
};

/// The file and its time; the file alone where there is none.
QString seenOf(const std::filesystem::path& file) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(file, error);
  if (error) return QString::fromStdString(file.string());
  return QStringLiteral("%1 %2")
      .arg(QString::fromStdString(file.string()))
      .arg(static_cast<qlonglong>(time.time_since_epoch().count()));
}

struct Look {
  QString seen, problem;
  std::shared_ptr<const RunTimeline> timeline;
  bool isNew = false;
  bool hasChanged = false;  ///< the file is another one by now
};

/// Reads the file where it is another one than `shown`. Throws nothing: it runs on a thread of the
/// pool.
Look lookAt(const std::filesystem::path& file, const QString& shown) {
  Look look{seenOf(file), {}, {}, false, false};
  if (look.seen == shown) return look;
  look.isNew = true;
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error) return look;
  try {
    look.timeline = std::make_shared<const RunTimeline>(read_timeline(file));
  } catch (const Error& problem) {
    look.problem = engineWord(problem.what_failed());
    if (!problem.hint().empty()) look.problem += QStringLiteral("; ") + engineWord(problem.hint());
  } catch (const std::exception& problem) {
    look.problem = QString::fromUtf8(problem.what());
  }
  look.hasChanged = seenOf(file) != look.seen;
  return look;
}
}  // namespace

TimelineTab::TimelineTab(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_empty(new EmptyState({}, {}, QStringLiteral("logs"), this)),
      m_about(new TextLabel({}, theme::TextSize::Body, this)),
      m_plot(new TimelinePlot(this)),
      m_stack(new QStackedLayout) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->addLayout(m_stack);
  m_stack->addWidget(m_empty);
  m_stack->addWidget(buildContent());
  take(nullptr, {});
}

QWidget* TimelineTab::buildContent() {
  auto* content = new QWidget(this);
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(theme::kGrid);
  auto* line = new QHBoxLayout;
  m_about->setTone(TextLabel::Tone::Secondary);
  m_about->setWrapped();
  auto* all = new QPushButton(tr("Show all"), content);
  all->setToolTip(tr("The whole time (0)"));
  auto* place =
      new QPushButton(theme::icon(QStringLiteral("folder")), tr("Show the trace file"), content);
  place->setToolTip(
      tr("Opens the folder with the trace, timeline.json, which ui.perfetto.dev opens"));
  line->addWidget(m_about, 1);
  line->addWidget(all);
  line->addWidget(place);
  column->addLayout(line);
  column->addWidget(buildLegend(content));
  auto* area = new QScrollArea(content);
  area->setFrameShape(QFrame::NoFrame);
  area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  area->setWidgetResizable(true);
  area->setWidget(m_plot);
  column->addWidget(area, 1);
  // Scrolling moves the pixels that are there, but the axis stays where it is.
  connect(area->verticalScrollBar(), &QScrollBar::valueChanged, m_plot,
          [this] { m_plot->update(); });
  connect(all, &QPushButton::clicked, m_plot, [this] { m_plot->showAll(); });
  connect(place, &QPushButton::clicked, this, &TimelineTab::showFile);
  return content;
}

void TimelineTab::showFile() {
  const std::filesystem::path trace = file();
  if (trace.empty()) return;
  const QString path = QString::fromStdString(trace.string());
  const QString folder = QString::fromStdString(trace.parent_path().string());
  if (QDesktopServices::openUrl(QUrl::fromLocalFile(folder))) {
    m_studio.navigator.toast(tr("The trace is %1").arg(path));
    return;
  }
  QGuiApplication::clipboard()->setText(path);
  m_studio.navigator.toast(
      tr("No program opens folders here. The trace's path is on the clipboard: %1").arg(path));
}

QWidget* TimelineTab::buildLegend(QWidget* parent) {
  auto* legend = new QWidget(parent);
  auto* row = new QHBoxLayout(legend);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kHalf);
  for (int kind = 0; kind < kTimelineKinds; ++kind) {
    row->addWidget(new KindSwatch(static_cast<TimelineKind>(kind), legend));
    row->addWidget(new TextLabel(timelineKindName(static_cast<TimelineKind>(kind)),
                                 theme::TextSize::Caption, legend));
    row->addSpacing(theme::kHalf);
  }
  row->addStretch(1);
  return legend;
}

void TimelineTab::setFeed(std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  m_feed = std::move(feed);
  m_seen.clear();
  take(nullptr, {});
  // While the first steps are recorded, the file comes late.
  if (m_feed) connect(m_feed.get(), &RunFeed::changed, this, [this] { look(); });
  look();
}

std::filesystem::path TimelineTab::file() const {
  return m_feed && m_feed->folder() ? m_feed->folder()->path() / kTimelineName
                                    : std::filesystem::path();
}

void TimelineTab::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  look();
}

/// Reads the file in the background where it is another one than what is shown.
void TimelineTab::look() {
  const std::filesystem::path trace = file();
  if (!isVisible() || trace.empty()) return;
  if (m_reading) {
    m_lookAgain = true;
    return;
  }
  m_reading = true;
  m_lookAgain = false;
  inBackground(
      this, [trace, shown = m_seen] { return lookAt(trace, shown); },
      [this, trace](const Look& found) {
        m_reading = false;
        if (trace != file()) return look();  // another run was chosen meanwhile
        if (found.isNew) {
          m_seen = found.seen;
          take(found.timeline, found.problem);
        }
        if (found.hasChanged || m_lookAgain) look();
      });
}

void TimelineTab::take(std::shared_ptr<const RunTimeline> timeline, const QString& problem) {
  m_plot->setTimeline(timeline);
  m_stack->setCurrentIndex(timeline ? 1 : 0);
  if (!timeline) {
    m_empty->setSentence(
        problem.isEmpty()
            ? tr("There is no timeline here. `tessera train SPEC --timeline FILE` records what the "
                 "ranks do in the first ten steps; one of more than %1 MiB is in FILE alone.")
                  .arg(kMostTimelineBytes >> 20)
            : tr("The timeline cannot be shown: %1").arg(problem));
    return;
  }
  double idle = 0;
  for (const TimelineLane& lane : timeline->lanes) idle += lane.idle;
  idle /= static_cast<double>(timeline->lanes.size());
  const auto most = std::max_element(timeline->lanes.begin(), timeline->lanes.end(),
                                     [](const auto& a, const auto& b) { return a.idle < b.idle; });
  m_about->setText(
      tr("%1 recorded. Ranks are idle for %2 of it on average, rank %3 most (%4): they wait, or do "
         "nothing.")
          .arg(numbers::duration(1e-9 * static_cast<double>(timeline->length_ns)),
               numbers::percent(idle))
          .arg(most - timeline->lanes.begin())
          .arg(numbers::percent(most->idle)));
}

}  // namespace tessera::ui
