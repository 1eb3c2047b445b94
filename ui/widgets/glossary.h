// SPDX-License-Identifier: MIT
// The glossary: what a term means, in a sentence or two, from resources/glossary.toml.
#pragma once

#include <QLabel>
#include <QString>
#include <QStringList>

namespace tessera::ui {

struct GlossaryEntry {
  QString term;   ///< "mla": the key in the file, in spec tables and in metric_info()
  QString title;  ///< "Multi-head latent attention"
  QString text;
  QString source;  ///< "DeepSeek-V3 report, section 2.1.1"; may be empty
};

/// Null for a term that is not there. The text is that of the program's language where it has one.
const GlossaryEntry* glossaryEntry(const QString& term);
QStringList glossaryTerms();
/// As a tip: title, text and source; empty for an unknown term.
QString glossaryTip(const QString& term);
/// After a change of language.
void reloadGlossary();

/// A label that a glossary tip hangs on, underlined with dots to say so.
class GlossaryLabel : public QLabel {
  Q_OBJECT
 public:
  /// `text`: what is shown; the entry's title where it is empty.
  explicit GlossaryLabel(const QString& term, const QString& text = {}, QWidget* parent = nullptr);
  void setTerm(const QString& term);
  const QString& term() const { return m_term; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_term;
};

}  // namespace tessera::ui
