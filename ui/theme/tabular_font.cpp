// SPDX-License-Identifier: MIT
// NOTE: Qt gives no way to ask for OpenType features before 6.7, and Inter's digits are of unequal
// width until its feature `tnum` is asked for. Shapers always apply `calt`, so a copy of the font
// in memory gets `tnum` under that tag, and another family name to be found by.
#include "ui/theme/tabular_font.h"

#include <QFile>
#include <QFontDatabase>
#include <QFontMetricsF>
#include <QStandardPaths>
#include <QtEndian>
#include <algorithm>

namespace tessera::ui::theme {

namespace {

bool digitsAreEqual(const QString& family) {
  QFont font(family);
  font.setPixelSize(100);
  const QFontMetricsF metrics(font);
  const double zero = metrics.horizontalAdvance(u'0');
  for (char16_t digit = u'1'; digit <= u'9'; ++digit) {
    if (std::abs(metrics.horizontalAdvance(digit) - zero) > 0.5) return false;
  }
  return true;
}

QString fileOf(const QString& name) {
  for (const QString& folder : QStandardPaths::standardLocations(QStandardPaths::FontsLocation)) {
    for (const char* below : {"/opentype/inter/", "/truetype/inter/", "/inter/", "/"}) {
      for (const char* ending : {".otf", ".ttf"}) {
        const QString path = folder + QLatin1String(below) + name + QLatin1String(ending);
        if (QFile::exists(path)) return path;
      }
    }
  }
  return {};
}

QByteArray utf16(const QByteArray& text) {
  QByteArray wide;
  for (const char c : text) wide.append('\0').append(c);
  return wide;
}

struct FontTable {
  qsizetype offset = 0, length = 0;
};
FontTable fontTable(const QByteArray& font, const char* tag) {
  if (font.size() < 12) return {};
  const auto tables = qFromBigEndian<quint16>(font.constData() + 4);
  for (int i = 0; i < tables; ++i) {
    const qsizetype record = 12 + 16 * i;
    if (record + 16 > font.size()) return {};
    if (font.mid(record, 4) != tag) continue;
    const FontTable t{qFromBigEndian<quint32>(font.constData() + record + 8),
                      qFromBigEndian<quint32>(font.constData() + record + 12)};
    return t.offset + t.length <= font.size() ? t : FontTable{};
  }
  return {};
}

bool renameFeature(QByteArray& font, const char* from, const char* to) {
  const FontTable gsub = fontTable(font, "GSUB");
  if (gsub.length < 10) return false;
  const qsizetype list = gsub.offset + qFromBigEndian<quint16>(font.constData() + gsub.offset + 6);
  if (list + 2 > font.size()) return false;
  const auto features = qFromBigEndian<quint16>(font.constData() + list);
  bool found = false;
  for (int i = 0; i < features; ++i) {
    const qsizetype record = list + 2 + 6 * i;
    if (record + 6 > font.size()) return found;
    const QByteArray tag = font.mid(record, 4);
    // The tag that is taken over must not be there twice: the first one found would win.
    if (tag == to) font.replace(record, 4, "xxxx");
    if (tag == from) found = true, font.replace(record, 4, to);
  }
  return found;
}

}  // namespace

QByteArray withTabularFigures(QByteArray font, const QByteArray& family,
                              const QByteArray& renamed) {
  if (family.size() != renamed.size() || !renameFeature(font, "tnum", "calt")) return {};
  const FontTable names = fontTable(font, "name");
  QByteArray text = font.mid(names.offset, names.length);
  text.replace(utf16(family), utf16(renamed)).replace(family, renamed);
  return font.replace(names.offset, names.length, text);
}

QString tabularFamily(const QString& family) {
  static const QString answer = [&family] {
    if (digitsAreEqual(family) || family != QLatin1String("Inter")) return family;
    QString made;
    for (const char* weight : {"Inter-Regular", "Inter-SemiBold"}) {
      QFile file(fileOf(QLatin1String(weight)));
      if (!file.open(QIODevice::ReadOnly)) continue;
      const QByteArray font = withTabularFigures(file.readAll(), "Inter", "InteT");
      const int id = font.isEmpty() ? -1 : QFontDatabase::addApplicationFontFromData(font);
      const QStringList families = QFontDatabase::applicationFontFamilies(id);
      if (made.isEmpty() && !families.isEmpty()) made = families.first();
    }
    return made.isEmpty() ? family : made;
  }();
  return answer;
}

}  // namespace tessera::ui::theme
