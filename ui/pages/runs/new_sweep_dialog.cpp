// SPDX-License-Identifier: MIT
#include "ui/pages/runs/new_sweep_dialog.h"

#include <QComboBox>
#include <QCompleter>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/spec/spec_table.h"
#include "ui/bridge/draft/draft_shelf.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/widgets/chart/background.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kWaitMs = 250;
/// So many specs are checked while somebody types; all are before they are queued.
constexpr std::size_t kLookedAt = 20;

/// Keys that one value can be given to.
QStringList sweepKeys() {
  QStringList keys;
  for (const spec::Entry& entry : spec::flatten(RunSpec())) {
    keys << QString::fromStdString(entry.path);
  }
  // A stage has its own keys; the first one is there in every spec.
  for (const char* name : {"curriculum[0].steps", "curriculum[0].sequence_length",
                           "curriculum[0].batch_sequences", "curriculum[0].learning_rate"}) {
    if (!keys.contains(QLatin1String(name))) keys << QLatin1String(name);
  }
  return keys;
}

QString wordsOf(const std::exception& problem) {
  const auto* error = dynamic_cast<const Error*>(&problem);
  return error ? engineWord(error->what_failed()) : QString::fromUtf8(problem.what());
}
}  // namespace

NewSweepDialog::NewSweepDialog(Studio& studio, const QString& run, QWidget* parent)
    : QDialog(parent),
      m_studio(studio),
      m_base(new QComboBox(this)),
      m_rule(new QComboBox(this)),
      m_tag(new QLineEdit(this)),
      m_seeds(new QSpinBox(this)),
      m_draws(new QSpinBox(this)),
      m_after(new QSpinBox(this)),
      m_completer(new QCompleter(sweepKeys(), this)),
      m_summary(new TextLabel({}, theme::TextSize::Body, this)),
      m_wait(new QTimer(this)) {
  setWindowTitle(tr("New sweep"));
  setAttribute(Qt::WA_DeleteOnClose);
  resize(620, 480);
  m_completer->setFilterMode(Qt::MatchContains);
  m_completer->setCaseSensitivity(Qt::CaseInsensitive);
  buildForm();
  addRow();
  m_wait->setSingleShot(true);
  m_wait->setInterval(kWaitMs);
  connect(m_wait, &QTimer::timeout, this, [this] { look(); });
  setEnabledBecause(m_start, false, tr("Name a key and its values first"));
  listBases(run);
}

void NewSweepDialog::buildForm() {
  auto* column = new QVBoxLayout(this);
  column->setSpacing(theme::kGrid);
  auto* form = new QFormLayout;
  column->addLayout(form);
  form->addRow(tr("Spec"), m_base);
  form->addRow(tr("Tag"), m_tag);
  m_tag->setToolTip(
      tr("All runs of the sweep have it. The tag of a sweep that is there adds runs to it."));
  auto* title = new TextLabel(tr("Keys that differ"), theme::TextSize::Body, this);
  title->setStrong();
  column->addWidget(title);
  auto* hint =
      new TextLabel(tr("Values: 0.5, 1  or a range: 1e-4..1e-2:log:5  or whole numbers: 1..4"),
                    theme::TextSize::Caption, this);
  hint->setTone(TextLabel::Tone::Secondary)->setWrapped();
  column->addWidget(hint);
  m_keys = new QVBoxLayout;
  column->addLayout(m_keys);
  m_add = new QPushButton(theme::icon(QStringLiteral("plus")), tr("Add a key"), this);
  m_add->setAutoDefault(false);  // Enter queues the runs
  auto* addLine = new QHBoxLayout;
  addLine->addWidget(m_add);
  addLine->addStretch(1);
  column->addLayout(addLine);
  auto* more = new QFormLayout;
  column->addLayout(more);
  m_seeds->setRange(1, 1000);
  m_draws->setRange(0, 10'000);
  m_draws->setSpecialValueText(tr("every combination"));
  m_after->setRange(0, 1'000'000'000);
  m_after->setSpecialValueText(tr("a quarter of a run"));
  m_rule->addItems({tr("none"), tr("those above the median of the others"),
                    tr("the worse half at each rung (halving)")});
  more->addRow(tr("Seeds of each"), m_seeds);
  more->addRow(tr("Runs drawn by chance"), m_draws);
  more->addRow(tr("Stop those that fall behind"), m_rule);
  more->addRow(tr("Steps before one is stopped"), m_after);
  m_summary->setWrapped();
  m_summary->setMinimumHeight(2 * theme::kRowHeight);
  m_summary->setAlignment(Qt::AlignTop | Qt::AlignLeft);
  column->addWidget(m_summary);
  column->addStretch(1);
  auto* buttons = new QHBoxLayout;
  buttons->addStretch(1);
  auto* cancel = new QPushButton(tr("Cancel"), this);
  m_start = primaryButton(tr("Queue the runs"), this);
  buttons->addWidget(cancel);
  buttons->addWidget(m_start);
  column->addLayout(buttons);
  connect(cancel, &QPushButton::clicked, this, &QDialog::reject);
  connect(m_start, &QPushButton::clicked, this, [this] { queue(); });
  connect(m_add, &QPushButton::clicked, this, [this] {
    addRow();
    m_rows.back().key->setFocus();
  });
  connect(m_tag, &QLineEdit::textEdited, this, [this] { m_tagTyped = true; });
  connect(m_tag, &QLineEdit::textChanged, this, [this] { change(); });
  connect(m_base, &QComboBox::currentIndexChanged, this, [this](int at) {
    const bool any = at >= 0 && at < std::ssize(m_bases);
    if (any && !m_tagTyped) m_tag->setText(m_bases[static_cast<std::size_t>(at)].name + "-sweep");
    change();
  });
  for (QSpinBox* box : {m_seeds, m_draws, m_after}) {
    connect(box, &QSpinBox::valueChanged, this, [this] { change(); });
  }
  connect(m_rule, &QComboBox::currentIndexChanged, this, [this](int at) {
    setEnabledBecause(m_after, at > 0, tr("No run is stopped"));
    change();
  });
  setEnabledBecause(m_after, false, tr("No run is stopped"));
}

void NewSweepDialog::addRow() {
  auto* widget = new QWidget(this);
  auto* line = new QHBoxLayout(widget);
  line->setContentsMargins(0, 0, 0, 0);
  Row row{widget, new QLineEdit(widget), new QLineEdit(widget)};
  row.key->setPlaceholderText(QStringLiteral("optimiser.clip"));
  row.key->setAccessibleName(tr("Key"));
  row.key->setCompleter(m_completer);
  row.values->setPlaceholderText(QStringLiteral("0.5, 1"));
  row.values->setAccessibleName(tr("Values"));
  QToolButton* remove = iconButton(QStringLiteral("close"), tr("Remove this key"), widget);
  line->addWidget(row.key, 3);
  line->addWidget(row.values, 3);
  line->addWidget(remove);
  connect(remove, &QToolButton::clicked, this, [this, widget] { removeRow(widget); });
  for (QLineEdit* field : {row.key, row.values}) {
    connect(field, &QLineEdit::textChanged, this, [this] { change(); });
  }
  m_keys->addWidget(widget);
  m_rows.push_back(row);
}

void NewSweepDialog::removeRow(const QWidget* widget) {
  const auto at = std::find_if(m_rows.begin(), m_rows.end(),
                               [widget](const Row& row) { return row.widget == widget; });
  if (at == m_rows.end()) return;
  at->widget->deleteLater();
  at->widget->hide();
  m_rows.erase(at);
  if (m_rows.empty()) addRow();
  change();
}

// ---- What a sweep begins from -------------------------------------------------------------------

void NewSweepDialog::listBases(const QString& run) {
  const RunRow* row = m_studio.runs.run(run);
  inBackground(
      this,
      [run, folder = row ? row->folder.string() : std::string()] { return readBases(run, folder); },
      [this](const std::vector<Base>& bases) { takeBases(bases); });
}

/// The run that was chosen, what is being written in Configure, then the presets.
std::vector<NewSweepDialog::Base> NewSweepDialog::readBases(const QString& run,
                                                            const std::string& runFolder) {
  std::vector<Base> bases;
  const auto attempt = [](auto&& work) {
    try {
      work();
    } catch (const std::exception&) {
      // It cannot be read, so no sweep can begin from it.
    }
  };
  if (!runFolder.empty()) {
    attempt([&] {
      const RunSpec spec = read_spec(std::filesystem::path(runFolder) / "run.toml").spec;
      bases.push_back({tr("as the run %1").arg(run), QString::fromStdString(spec.run.name),
                       QString::fromStdString(runFolder), write_spec(spec)});
    });
  }
  attempt([&] {
    for (const KeptDraft& draft : listDrafts()) {
      const QString folder =
          draft.file.isEmpty() ? draft.runFolder : draft.file.section('/', 0, -2);
      bases.push_back(
          {tr("%1, in Configure").arg(draft.name), draft.name, folder, draft.text.toStdString()});
    }
  });
  attempt([&] {
    for (const PresetInfo& preset : list_presets()) {
      bases.push_back({tr("preset %1").arg(QString::fromStdString(preset.name)),
                       QString::fromStdString(preset.name),
                       QString::fromStdString(resources_folder().string()),
                       write_spec(read_preset(preset.name).spec)});
    }
  });
  return bases;
}

void NewSweepDialog::takeBases(const std::vector<Base>& bases) {
  m_bases = bases;
  for (const Base& base : m_bases) m_base->addItem(base.title);
  if (m_bases.empty()) m_summary->setText(tr("There is no spec to begin from."));
}

RunSpec NewSweepDialog::specWith(const Base& base, const std::vector<std::string>& settings) {
  SpecReading reading = read_spec_text(base.text, base.name.toStdString(), settings);
  for (const Problem& problem : reading.problems) {
    if (problem.severity == Severity::Error) throw Error(base.name.toStdString(), problem.text());
  }
  make_paths_absolute(reading.spec, base.folder.toStdString());
  return reading.spec;
}

// ---- How many runs that makes -------------------------------------------------------------------

SweepOrder NewSweepDialog::order() const {
  SweepOrder order;
  order.tag = m_tag->text().trimmed().toStdString();
  for (const Row& row : m_rows) {
    const QString key = row.key->text().trimmed(), values = row.values->text().trimmed();
    if (key.isEmpty() && values.isEmpty()) continue;
    if (key.isEmpty()) throw Error("sweep", "a key is missing beside its values");
    order.plan.axes.push_back(sweep_axis_of((key + '=' + values).toStdString()));
  }
  order.plan.seeds = m_seeds->value();
  order.plan.random = m_draws->value();
  order.rule = static_cast<StopRule>(m_rule->currentIndex());
  order.after = m_rule->currentIndex() > 0 ? m_after->value() : 0;
  return order;
}

void NewSweepDialog::change() {
  ++m_change;
  setEnabledBecause(m_start, false, tr("The runs are being counted"));
  m_wait->start();
}

QString NewSweepDialog::summary() const {
  return m_summary->text();
}

void NewSweepDialog::look() {
  const int at = m_base->currentIndex();
  if (at < 0 || at >= std::ssize(m_bases)) return;
  SweepOrder wanted;
  try {
    wanted = order();
    if (wanted.plan.axes.empty() && wanted.plan.seeds <= 1) {
      m_summary->setText(tr("Name a key and its values, or more than one seed."));
      return setEnabledBecause(m_start, false, tr("Nothing differs between the runs yet"));
    }
  } catch (const std::exception& problem) {
    return show({0, {}, wordsOf(problem)});
  }
  inBackground(
      this,
      [wanted, base = m_bases[static_cast<std::size_t>(at)]]() -> Looked {
        Looked looked;
        try {
          const auto settings = sweep_settings_of(wanted);
          looked.runs = static_cast<int>(settings.size());
          for (std::size_t i = 0; i < std::min(settings.size(), kLookedAt); ++i) {
            specWith(base, settings[i]);
          }
          for (const std::string& one : settings.front()) {
            looked.first += (looked.first.isEmpty() ? "" : "  ") + QString::fromStdString(one);
          }
        } catch (const std::exception& problem) {
          looked.problem = wordsOf(problem);
        }
        return looked;
      },
      [this, change = m_change](const Looked& looked) {
        if (change == m_change) show(looked);
      });
}

void NewSweepDialog::show(const Looked& looked) {
  const bool good = looked.problem.isEmpty();
  m_summary->setTone(good ? TextLabel::Tone::Plain : TextLabel::Tone::Bad);
  m_summary->setText(good ? tr("%n run(s). The first: %1", nullptr, looked.runs).arg(looked.first)
                          : looked.problem);
  m_start->setText(good ? tr("Queue %n run(s)", nullptr, looked.runs) : tr("Queue the runs"));
  setEnabledBecause(m_start, good, looked.problem);
}

void NewSweepDialog::queue() {
  SweepOrder wanted;
  try {
    wanted = order();
  } catch (const std::exception& problem) {
    return show({0, {}, wordsOf(problem)});
  }
  setEnabledBecause(m_start, false, tr("The runs are being made"));
  inBackground(
      this,
      [wanted, base = m_bases[static_cast<std::size_t>(m_base->currentIndex())]]() -> Looked {
        try {
          SweepOrder whole = wanted;
          whole.plan.first_seed = specWith(base, {}).run.seed;
          const SweepRuns runs = sweep_runs(whole, [&](const std::vector<std::string>& settings) {
            return specWith(base, settings);
          });
          QueueFile file(home_folder() / "queue.json");
          queue_sweep(whole, runs, home_folder() / "sweeps", file);
          return {static_cast<int>(runs.specs.size()), {}, {}};
        } catch (const std::exception& problem) {
          return {0, {}, wordsOf(problem)};
        }
      },
      [this, tag = QString::fromStdString(wanted.tag)](const Looked& done) {
        if (!done.problem.isEmpty()) return show(done);
        Q_EMIT queued(tag, done.runs);
        accept();
      });
}

}  // namespace tessera::ui
