// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/spec_tab.h"

#include <QHeaderView>
#include <QPlainTextEdit>
#include <QSplitter>
#include <QTableWidget>
#include <QVBoxLayout>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/spec/spec_table.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/background.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

namespace {
struct Loaded {
  QString text, error, preset;
  std::vector<std::array<QString, 3>> differences;  ///< key, as run, in the preset
};

Loaded loadSpec(const RunFolder& folder) {
  Loaded result;
  try {
    result.text = QString::fromStdString(read_file(folder.spec_path()));
    const RunSpec spec = folder.spec();
    result.preset = QString::fromStdString(spec.run.preset);
    if (spec.run.preset.empty()) return result;
    RunSpec preset = read_preset(spec.run.preset).spec;
    // A run says which text stood for the preset's sample, which is no change of its own.
    for (DataSource& source : preset.data.sources) {
      std::ranges::transform(source.paths, source.paths.begin(), settled_path);
    }
    for (const spec::Difference& d : spec::differences(spec, preset)) {
      if (d.path == "run.preset" || d.path == "run.name") continue;
      result.differences.push_back({QString::fromStdString(d.path),
                                    QString::fromStdString(spec::format_value(d.ours)),
                                    QString::fromStdString(spec::format_value(d.theirs))});
    }
  } catch (const Error& problem) {
    result.error = QString::fromUtf8(problem.what());
  }
  return result;
}
}  // namespace

SpecTab::SpecTab(Studio&, QWidget* parent)
    : QWidget(parent),
      m_text(new QPlainTextEdit(this)),
      m_differences(new QTableWidget(this)),
      m_note(new TextLabel({}, theme::TextSize::Body, this)) {
  m_text->setReadOnly(true);
  m_text->setFont(theme::monospace());
  m_text->setLineWrapMode(QPlainTextEdit::NoWrap);
  m_text->setAccessibleName(tr("Spec as run"));
  enableCopy(m_differences);
  m_differences->setColumnCount(3);
  m_differences->setHorizontalHeaderLabels({tr("Key"), tr("This run"), tr("Preset")});
  m_differences->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_differences->setShowGrid(false);
  m_differences->setAlternatingRowColors(true);
  m_differences->setWordWrap(false);
  m_differences->setTabKeyNavigation(false);
  m_differences->setAccessibleName(tr("Differences from the preset"));
  m_differences->verticalHeader()->hide();
  m_differences->verticalHeader()->setDefaultSectionSize(theme::kRowHeight - 4);
  m_differences->horizontalHeader()->setStretchLastSection(true);
  m_differences->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_differences->horizontalHeader()->setDefaultSectionSize(190);
  auto* right = new QWidget(this);
  auto* rightColumn = new QVBoxLayout(right);
  rightColumn->setContentsMargins(0, 0, 0, 0);
  rightColumn->setSpacing(theme::kHalf);
  m_note->setWrapped();
  rightColumn->addWidget(m_note);
  rightColumn->addWidget(m_differences, 1);
  rightColumn->addStretch(0);
  auto* splitter = new QSplitter(Qt::Horizontal, this);
  splitter->addWidget(m_text);
  splitter->addWidget(right);
  splitter->setChildrenCollapsible(false);
  splitter->setStretchFactor(0, 3);
  splitter->setStretchFactor(1, 2);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->addWidget(splitter);
}

void SpecTab::setFeed(std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  m_feed = std::move(feed);
  ++m_generation;
  m_loading = m_loaded = false;
  m_text->clear();
  m_differences->setRowCount(0);
  m_note->setText({});
  if (!m_feed) return;
  connect(m_feed.get(), &RunFeed::changed, this, [this] { load(); });
  load();
}

/// Once, when the folder is known: a run's spec never changes.
void SpecTab::load() {
  if (m_loading || m_loaded || !m_feed || !m_feed->folder()) return;
  m_loading = true;
  inBackground(
      this, [folder = *m_feed->folder()] { return loadSpec(folder); },
      [this, generation = m_generation](const Loaded& l) {
        if (generation != m_generation) return;
        m_loading = false;
        m_loaded = true;
        m_text->setPlainText(l.text);
        m_differences->setRowCount(int(l.differences.size()));
        for (int row = 0; row < int(l.differences.size()); ++row) {
          for (int column = 0; column < 3; ++column) {
            const QString& value = l.differences[std::size_t(row)][std::size_t(column)];
            auto* item = new QTableWidgetItem(value.isEmpty() ? tr("absent") : value);
            item->setToolTip(value);
            m_differences->setItem(row, column, item);
          }
        }
        m_differences->setVisible(!l.differences.empty());
        m_note->setTone(l.error.isEmpty() ? TextLabel::Tone::Plain : TextLabel::Tone::Bad);
        if (!l.error.isEmpty()) {
          m_note->setText(l.error);
        } else if (l.preset.isEmpty()) {
          m_note->setText(tr("The spec names no preset to compare with."));
        } else if (l.differences.empty()) {
          m_note->setText(tr("Nothing differs from the preset %1.").arg(l.preset));
        } else {
          m_note->setText(tr("Differs from the preset %1 as it is now:").arg(l.preset));
        }
      });
}

}  // namespace tessera::ui
