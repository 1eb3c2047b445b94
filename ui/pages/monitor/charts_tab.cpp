// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/charts_tab.h"

#include <QCheckBox>
#include <QFileDialog>
#include <QVBoxLayout>

#include "core/base/error.h"
#include "core/spec/curriculum.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/runs/numbers_note.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/background.h"
#include "ui/widgets/chart/board_area.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/chart/chart_toolbar.h"
#include "ui/widgets/file_dialog.h"

namespace tessera::ui {

namespace {
std::vector<std::pair<std::int64_t, QString>> stagesOf(const RunSpec& spec) {
  std::vector<std::pair<std::int64_t, QString>> stages;
  try {
    const Curriculum curriculum(spec);
    for (int i = 0; i < curriculum.stages(); ++i) {
      stages.emplace_back(curriculum.first_step(i),
                          QString::fromStdString(spec.curriculum[std::size_t(i)].name));
    }
  } catch (const Error&) {
    // NOTE: a spec that cannot be scheduled has no stages to mark; the Spec tab tells of it.
  }
  return stages;
}
}  // namespace

ChartsTab::ChartsTab(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_area(new BoardArea(studio.preferences, m_group, this)),
      m_grid(&m_area->grid()),
      m_showParent(new QCheckBox(this)) {
  m_toolbar = new ChartToolbar(m_group, *m_grid, this);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addWidget(m_toolbar);
  m_area->addBeside(m_showParent);
  m_showParent->setChecked(true);
  m_showParent->hide();
  connect(m_showParent, &QCheckBox::toggled, this, &ChartsTab::showRuns);
  column->addWidget(m_area, 1);
  connect(m_area, &BoardArea::done, this,
          [this](const QString& text, const std::function<void()>& undo) {
            m_studio.navigator.toast(text, undo);
          });
  ChartOptions options;
  Preferences& preferences = studio.preferences;
  options.smoothing = preferences.value(QStringLiteral("charts/smoothing"), 0).toInt();
  options.axis = chart::axisFromId(preferences.value(QStringLiteral("charts/axis")).toString());
  m_group.setOptions(options);
  connect(&m_group, &ChartGroup::optionsChanged, this, [this] {
    m_studio.preferences.setValue(QStringLiteral("charts/smoothing"), m_group.options().smoothing);
    m_studio.preferences.setValue(QStringLiteral("charts/axis"),
                                  QLatin1String(chart::idOf(m_group.options().axis)));
  });
  connect(&m_group, &ChartGroup::stepPicked, this,
          [this](const QString&, qint64 step) { m_studio.selection.setStep(step); });
  connect(&studio.selection, &Selection::stepChanged, this,
          [this](std::int64_t step) { m_group.showPicked(m_id, step); });
  connect(m_grid, &ChartGrid::saved, this,
          [this](const QString& file, const QString& error) { saved(file, error, {}); });
}

void ChartsTab::setFeed(const QString& id, std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  keepView();
  setParentRun({}, {}, nullptr, {});  // that of the run before
  m_id = id;
  m_feed = std::move(feed);
  m_stages = false;
  m_group.setView({});
  m_group.showPicked(id, m_studio.selection.step());
  if (!m_feed) {
    m_curves.reset();
    m_group.setRuns({});
    return;
  }
  m_curves = std::make_shared<RunCurves>(id, id);
  connect(m_feed.get(), &RunFeed::rewritten, this, [this] { m_curves->restart(); });
  connect(m_feed.get(), &RunFeed::changed, this, [this] { readFeed(); });
  m_curves->update(m_feed->history(), m_feed);
  showRuns();
  m_viewWaits = true;
  readFeed();
}

void ChartsTab::setParentRun(const QString& id, const QString& title, std::shared_ptr<RunFeed> feed,
                             const QString& own) {
  m_title = own;
  if (feed == m_parentFeed) {
    nameRuns(title);
    return;
  }
  if (m_parentFeed) disconnect(m_parentFeed.get(), nullptr, this, nullptr);
  m_parentFeed = std::move(feed);
  m_parent.reset();
  m_showParent->setVisible(m_parentFeed != nullptr);
  if (m_parentFeed) {
    m_parent = std::make_shared<RunCurves>(id, title);
    connect(m_parentFeed.get(), &RunFeed::rewritten, this, [this] { m_parent->restart(); });
    connect(m_parentFeed.get(), &RunFeed::changed, this, [this] { readFeed(); });
    m_parent->update(m_parentFeed->history(), m_parentFeed);
  }
  nameRuns(title);
  showRuns();
}

/// Both may have the same name, and either may be given another while it is shown.
void ChartsTab::nameRuns(const QString& parent) {
  if (!m_parent || !m_curves) return;
  m_showParent->setText(tr("With the curves of %1, which it was forked from").arg(parent));
  if (m_parent->title() == parent && m_curves->title() == m_title) return;
  m_parent->setTitle(parent);
  m_curves->setTitle(m_title);
  m_group.dataChanged();
}

BoardPicker& ChartsTab::boards() {
  return m_area->boards();
}

bool ChartsTab::showsParent() const {
  return m_parent && m_showParent->isChecked();
}

/// The run first: axes and what is picked go by it.
void ChartsTab::showRuns() {
  if (!m_curves) return;
  ChartGroup::Runs runs{m_curves};
  if (showsParent()) runs.push_back(m_parent);
  m_group.setRuns(std::move(runs));
}

void ChartsTab::keepView() {
  if (m_id.isEmpty() || m_viewWaits) return;
  if (m_group.zoomed()) {
    m_views[m_id] = {m_group.options().axis, m_group.view()};
  } else {
    m_views.remove(m_id);
  }
}

/// A view of an axis that is not shown any more says nothing.
void ChartsTab::restoreView() {
  const auto kept = m_views.constFind(m_id);
  if (kept != m_views.constEnd() && kept->axis == m_group.options().axis) {
    m_group.setView(kept->range);
  }
}

/// While nobody sees it nothing is read; showEvent() makes up for it.
void ChartsTab::readFeed() {
  if (!isVisible()) {
    m_behind = true;
    return;
  }
  if (!m_feed) return;
  m_behind = false;
  m_curves->update(m_feed->history(), m_feed);
  if (m_parent) m_parent->update(m_parentFeed->history(), m_parentFeed);
  if (!m_stages && m_feed->spec()) {
    m_curves->setStages(stagesOf(*m_feed->spec()));
    m_curves->setLayerNames(moeLayerNames(m_feed->spec()->model));
    m_stages = true;
  }
  m_group.dataChanged();
  if (m_viewWaits && m_feed->loaded()) {  // what there is to see is known now
    m_viewWaits = false;
    restoreView();
  }
}

void ChartsTab::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (m_behind && m_feed) readFeed();
}

void ChartsTab::exportAll() {
  if (!m_feed || !m_feed->folder()) return;
  const auto chosen = [this, log = m_feed->folder()->events_path()](const QString& file) {
    const std::int64_t task = m_studio.tasks.begin(tr("Saving %1").arg(file));
    inBackground(
        this,
        [log, file = file.toStdString()] {
          return write_run_numbers(log, file, numbers_format_of(file));
        },
        [this, file, task](const NumbersWritten& written) {
          const QString error = QString::fromStdString(written.error);
          m_studio.tasks.finish(task, error);
          saved(file, error, numbersNote(written));
        });
  };
  auto* dialog = fileDialog(this, this, tr("Save everything that was logged"), chosen,
                            m_id + QStringLiteral(".csv"));
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilters(
      {tr("CSV, one row a step (*.csv)"), tr("Every event, as tessera watch --json (*.jsonl)")});
  dialog->setDefaultSuffix(QStringLiteral("csv"));
  dialog->open();
}

void ChartsTab::saved(const QString& file, const QString& error, const QString& note) {
  if (error.isEmpty()) {
    m_studio.navigator.toast(note.isEmpty() ? tr("Saved %1").arg(file)
                                            : tr("Saved %1: %2").arg(file, note));
  } else {
    m_studio.navigator.notify(QStringLiteral("error"), error);
  }
}

}  // namespace tessera::ui
