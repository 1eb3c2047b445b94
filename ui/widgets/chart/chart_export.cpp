// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/chart_export.h"

#include <fmt/format.h>

#include <QCoreApplication>
#include <QSaveFile>
#include <algorithm>

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

QString writePicture(const QImage& image, const QString& file) {
  QSaveFile out(file);
  if (out.open(QIODevice::WriteOnly) && image.save(&out, "PNG") && out.commit()) return {};
  return translated(QT_TRANSLATE_NOOP("Chart", "%1 was not written: %2"))
      .arg(file, out.errorString());
}

}  // namespace tessera::ui::chart
