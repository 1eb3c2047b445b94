// SPDX-License-Identifier: MIT
#include "ui/pages/runs/sweep_data.h"

#include <QCoreApplication>
#include <QLocale>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/launch/queue_file.h"
#include "core/spec/spec_table.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr double kNoPlace = std::numeric_limits<double>::quiet_NaN();

/// The value of a key in a spec as its text; empty where the spec has no such key.
QString valueIn(const RunSpec& spec, const std::string& key) {
  try {
    const spec::Value value = spec::get_value(spec, key);
    if (const auto* text = std::get_if<std::string>(&value)) return QString::fromStdString(*text);
    return QString::fromStdString(spec::format_value(value));
  } catch (const Error&) {
    return {};  // a table, or a key that this version does not know
  }
}

bool isWholeNumber(const QString& text) {
  return !text.contains('.') && !text.contains('e', Qt::CaseInsensitive);
}

double numberIn(const QString& text) {
  const std::string plain = QString(text).remove('_').toStdString();
  double value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  const bool whole = error == std::errc() && end == plain.data() + plain.size();
  return whole && std::isfinite(value) ? value : kNoPlace;
}

QStringList valuesOf(const RunRow& row, const std::vector<std::string>& keys) {
  QStringList values;
  try {
    const SpecReading reading = read_spec(row.folder / "run.toml");
    for (const std::string& key : keys) values << valueIn(reading.spec, key);
  } catch (const Error&) {
    for (std::size_t i = 0; i < keys.size(); ++i) values << QString();  // the folder is gone
  }
  return values;
}

bool hasTag(const std::vector<std::string>& tags, const QString& tag) {
  return std::find(tags.begin(), tags.end(), tag.toStdString()) != tags.end();
}

int waitingRuns(const QString& tag) {
  QueueFile file(home_folder() / "queue.json");
  file.refresh();
  int waiting = 0;
  for (const QueueEntry& entry : file.queue().entries) {
    // Cheaper than reading every spec that waits; the tag stands in it as a word in quotes.
    if (entry.spec.find('"' + tag.toStdString() + '"') == std::string::npos) continue;
    waiting += hasTag(read_spec_text(entry.spec, "queue").spec.run.tags, tag) ? 1 : 0;
  }
  return waiting;
}

/// Numbers where all values are numbers; else words, each with a place of its own.
SweepAxisLine axisOf(std::vector<SweepRun>& runs, qsizetype key, const QString& title, bool isLog) {
  SweepAxisLine axis;
  axis.title = title;
  bool allNumbers = true, allWhole = true;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const SweepRun& run : runs) {
    const double value = numberIn(run.texts[key]);
    allNumbers = allNumbers && (run.texts[key].isEmpty() || !std::isnan(value));
    if (std::isnan(value)) continue;
    allWhole = allWhole && isWholeNumber(run.texts[key]);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (!allNumbers) {
    for (const SweepRun& run : runs) {
      if (!run.texts[key].isEmpty()) axis.words << run.texts[key];
    }
    axis.words.removeDuplicates();
    axis.words.sort();
    axis.range = chart::widened({0, static_cast<double>(axis.words.size() - 1)}, false);
  } else if (low <= high) {
    axis.isLog = isLog && low > 0;
    axis.isWhole = allWhole;
    if (low == high) axis.single = low;
    axis.range = chart::widened({low, high}, axis.isLog);
  }
  for (SweepRun& run : runs) {
    const qsizetype word = axis.words.indexOf(run.texts[key]);
    run.values.push_back(!axis.isText() ? numberIn(run.texts[key])
                         : word >= 0    ? static_cast<double>(word)
                                        : kNoPlace);
  }
  return axis;
}

SweepAxisLine lossAxis(const std::vector<SweepRun>& runs) {
  SweepAxisLine axis;
  axis.title = QCoreApplication::translate("SweepData", "final loss");
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const SweepRun& run : runs) {
    const double loss = run.finalLoss();
    if (std::isnan(loss)) continue;
    low = std::min(low, loss);
    high = std::max(high, loss);
  }
  if (low <= high) axis.range = chart::widened({low, high}, false);
  if (low == high) axis.single = low;
  return axis;
}

bool isBetter(const SweepRun& a, const SweepRun& b) {
  const double one = a.finalLoss(), other = b.finalLoss();
  if (std::isnan(one) != std::isnan(other)) return std::isnan(other);
  return one < other;
}

SweepRun runOf(const RunRow& row, const SweepRecord& record, const QStringList& texts) {
  SweepRun run;
  run.id = QString::fromStdString(row.id);
  run.name = QString::fromStdString(row.name);
  run.state = row.state;
  run.step = row.step;
  run.total = row.total_steps;
  run.loss = row.loss;
  run.validation = row.validation_loss;
  run.texts = texts;
  for (const SweepRecord::Stopped& one : record.stopped) {
    if (one.run == row.id) run.stopped = QString::fromStdString(one.why);
  }
  return run;
}

QString csvWord(const QString& text) {
  if (!text.contains(',') && !text.contains('"') && !text.contains('\n')) return text;
  return '"' + QString(text).replace('"', QLatin1String("\"\"")) + '"';
}

QString csvNumber(double value) {
  return std::isnan(value) ? QString()
                           : QString::number(value, 'g', QLocale::FloatingPointShortest);
}
}  // namespace

double SweepAxisLine::placeOf(double value) const {
  if (std::isnan(value) || (isLog && value <= 0)) return kNoPlace;
  return chart::Scale{range, isLog, 0, 1}.toPixel(value);
}

std::vector<chart::Tick> SweepAxisLine::ticks(int most) const {
  std::vector<chart::Tick> all;
  if (isText()) {
    const int every = std::max(1, static_cast<int>(words.size()) / std::max(1, most));
    for (qsizetype i = 0; i < words.size(); i += every) {
      all.push_back({placeOf(static_cast<double>(i)), words[i]});
    }
    return all;
  }
  if (!std::isnan(single)) {
    return {{placeOf(single), chart::valueText(single, chart::ValueKind::Number)}};
  }
  all = chart::ticksFor(range, isLog, most, chart::ValueKind::Number);
  if (isWhole) {
    std::erase_if(all, [](const chart::Tick& tick) {
      return std::abs(tick.value - std::round(tick.value)) >
             1e-9 * std::max(1., std::abs(tick.value));
    });
  }
  for (chart::Tick& tick : all) tick.value = placeOf(tick.value);
  return all;
}

double SweepRun::finalLoss() const {
  const double value = std::isnan(validation) ? loss : validation;
  return std::isfinite(value) ? value : kNotMeasured;
}

QString SweepTable::reading(const SweepRun& run) const {
  QStringList words{run.name, stateWord(run.state)};
  for (std::size_t k = 0; k < keys.size(); ++k) {
    words << keys[k].title.section('.', -1) + ' ' + run.texts[static_cast<qsizetype>(k)];
  }
  const double final = run.finalLoss();
  words
      << (std::isnan(final)
              ? QCoreApplication::translate("SweepData", "no loss yet")
              : QCoreApplication::translate("SweepData", "loss %1").arg(numbers::fixed(final, 4)));
  return words.join(QStringLiteral(" · "));
}

QString SweepTable::asCsv() const {
  QStringList head{"run", "state", "step", "steps"};
  for (const SweepAxisLine& key : keys) head << csvWord(key.title);
  head << "loss"
       << "validation_loss"
       << "stopped";
  QString text = head.join(',') + '\n';
  for (const SweepRun& run : runs) {
    const std::string_view state = name_of(run.state);
    QStringList row{csvWord(run.id),
                    QString::fromUtf8(state.data(), static_cast<qsizetype>(state.size())),
                    QString::number(run.step), QString::number(run.total)};
    for (const QString& value : run.texts) row << csvWord(value);
    row << csvNumber(run.loss) << csvNumber(run.validation) << csvWord(run.stopped);
    text += row.join(',') + '\n';
  }
  return text;
}

QStringList sweepTags() {
  QStringList tags;
  for (const SweepRecord& record : SweepRecord::all(home_folder() / "sweeps")) {
    tags << QString::fromStdString(record.tag);
  }
  return tags;
}

SweepTable readSweep(const QString& tag, const RunRows& rows, SweepValues& known) {
  const auto record = SweepRecord::load(home_folder() / "sweeps", tag.toStdString());
  if (!record) throw Error(tag.toStdString(), "is the tag of no sweep");
  SweepTable table;
  table.tag = tag;
  table.rule = record->rule;
  table.after = record->after;
  table.planned = record->runs;
  table.waiting = waitingRuns(tag);
  for (const RunRow& row : *rows) {
    if (row.missing || !hasTag(row.tags, tag)) continue;
    QStringList& texts = known[tag + '/' + QString::fromStdString(row.id)];
    if (texts.size() != std::ssize(record->keys)) texts = valuesOf(row, record->keys);
    table.runs.push_back(runOf(row, *record, texts));
  }
  for (std::size_t k = 0; k < record->keys.size(); ++k) {
    const std::string& key = record->keys[k];
    const auto& logs = record->log_keys;
    table.keys.push_back(axisOf(table.runs, static_cast<qsizetype>(k), QString::fromStdString(key),
                                std::find(logs.begin(), logs.end(), key) != logs.end()));
  }
  table.loss = lossAxis(table.runs);
  std::stable_sort(table.runs.begin(), table.runs.end(), isBetter);
  return table;
}

}  // namespace tessera::ui
