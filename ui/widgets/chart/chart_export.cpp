// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/chart_export.h"

#include <fmt/format.h>

#include <QCoreApplication>
#include <QSaveFile>
#include <algorithm>
#include <cmath>

namespace tessera::ui::chart {

namespace {
QString translated(const char* text) {
  return QCoreApplication::translate("Chart", text);
}

/// Flushed in pieces, so that a million rows do not stand in memory as text.
class Writer {
 public:
  explicit Writer(const QString& file) : m_file(file) {
    if (!m_file.open(QIODevice::WriteOnly)) m_error = m_file.errorString();
  }
  fmt::memory_buffer& buffer() { return m_buffer; }
  void flush(bool all = false) {
    if (!m_error.isEmpty() || (!all && m_buffer.size() < 1u << 16)) return;
    const auto size = static_cast<qint64>(m_buffer.size());
    if (m_file.write(m_buffer.data(), size) != size) m_error = m_file.errorString();
    m_buffer.clear();
  }
  QString finish() {
    flush(true);
    if (m_error.isEmpty() && !m_file.commit()) m_error = m_file.errorString();
    if (m_error.isEmpty()) return {};
    return translated(QT_TRANSLATE_NOOP("Chart", "%1 was not written: %2"))
        .arg(m_file.fileName(), m_error);
  }

 private:
  QSaveFile m_file;
  QString m_error;
  fmt::memory_buffer m_buffer;
};

void addText(fmt::memory_buffer& out, const QString& text) {
  std::string plain = text.toStdString();
  if (plain.find_first_of(",\"\n\r") != std::string::npos) {
    std::string quoted = "\"";
    for (const char c : plain) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    plain = quoted + '"';
  }
  out.append(plain);
}
}  // namespace

CsvData csvData(const std::vector<SceneLine>& lines) {
  CsvData data;
  for (const SceneLine& line : lines) {
    CsvData::Line copy;
    copy.run = line.run;
    copy.key = line.key;
    const std::size_t rows = std::min(line.x->size(), line.values->size());
    const auto column = [&](XAxis axis) {
      const std::vector<double>& v = line.x->values(axis);
      return std::vector<double>(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(rows));
    };
    copy.step = column(XAxis::Step);
    copy.tokens = column(XAxis::Tokens);
    copy.time = column(XAxis::WallTime);
    copy.values = line.values->values();
    copy.values.resize(rows);
    data.lines.push_back(std::move(copy));
  }
  return data;
}

QString writeCsv(const CsvData& data, const QString& file) {
  Writer writer(file);
  fmt::memory_buffer& out = writer.buffer();
  out.append(std::string_view("run,series,step,tokens,time,value\n"));
  for (const CsvData::Line& line : data.lines) {
    for (std::size_t i = 0; i < line.values.size(); ++i) {
      addText(out, line.run);
      out.push_back(',');
      addText(out, line.key);
      fmt::format_to(std::back_inserter(out), ",{:.0f},{:.0f},{:.3f},{}\n", line.step[i],
                     line.tokens[i], line.time[i], line.values[i]);
      writer.flush();
    }
  }
  return writer.finish();
}

CsvTable csvTable(const RunCurves& run) {
  CsvTable table;
  const auto add = [&](const QString& name, std::vector<double> values) {
    table.columns.push_back(name);
    table.values.push_back(std::move(values));
  };
  add(QStringLiteral("step"), run.x().values(XAxis::Step));
  add(QStringLiteral("tokens"), run.x().values(XAxis::Tokens));
  add(QStringLiteral("time"), run.x().values(XAxis::WallTime));
  const auto addSeries = [&](const QString& key) {
    if (const Series* series = run.curve(key).values) {
      add(key, std::vector<double>(series->values().begin(), series->values().end()));
    }
  };
  for (std::size_t m = 0; m < static_cast<std::size_t>(Metric::Count); ++m) {
    addSeries(QLatin1String(metricInfo(static_cast<Metric>(m)).id));
  }
  for (const QString& key : run.keys(QStringLiteral("max_vio/*"))) addSeries(key);
  return table;
}

QString writeCsv(const CsvTable& table, const QString& file) {
  Writer writer(file);
  fmt::memory_buffer& out = writer.buffer();
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (c > 0) out.push_back(',');
    addText(out, table.columns[c]);
  }
  out.push_back('\n');
  const std::size_t rows = table.values.empty() ? 0 : table.values.front().size();
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < table.values.size(); ++c) {
      if (c > 0) out.push_back(',');
      const double v = r < table.values[c].size() ? table.values[c][r] : std::nan("");
      // The first three are whole numbers and a time, the others were logged as floats.
      if (c < 2) {
        fmt::format_to(std::back_inserter(out), "{:.0f}", v);
      } else if (c == 2) {
        fmt::format_to(std::back_inserter(out), "{:.3f}", v);
      } else {
        fmt::format_to(std::back_inserter(out), "{}", static_cast<float>(v));
      }
    }
    out.push_back('\n');
    writer.flush();
  }
  return writer.finish();
}

QString writePicture(const QImage& image, const QString& file) {
  QSaveFile out(file);
  if (out.open(QIODevice::WriteOnly) && image.save(&out, "PNG") && out.commit()) return {};
  return translated(QT_TRANSLATE_NOOP("Chart", "%1 was not written: %2"))
      .arg(file, out.errorString());
}

}  // namespace tessera::ui::chart
