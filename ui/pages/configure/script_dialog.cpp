// SPDX-License-Identifier: MIT
#include "ui/pages/configure/script_dialog.h"

#include <QDialogButtonBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>
#include <utility>

#include "core/launch/slurm_script.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"

namespace tessera::ui {

QString scriptProblem(const std::string& script) {
  for (const ScriptProblem& one : check_slurm_script(script)) {
    if (!one.is_error) continue;
    QString text = engineWord(one.text);
    if (!one.hint.empty()) text += QStringLiteral("; ") + engineWord(one.hint);
    return one.line > 0 ? ScriptDialog::tr("Line %1: %2").arg(one.line).arg(text) : text;
  }
  return {};
}

QString scriptDifference(const std::string& fromProfile, const std::string& script) {
  const ScriptDifference difference = compare_scripts(fromProfile, script);
  if (difference.empty()) return {};
  return ScriptDialog::tr("Edited by hand: it %1").arg(engineWord(difference.text()));
}

ScriptDialog::ScriptDialog(const QString& profile, QWidget* parent)
    : QDialog(parent),
      m_text(new QPlainTextEdit(this)),
      m_note(new TextLabel({}, theme::TextSize::Caption, this)) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(tr("Script for Slurm, profile %1").arg(profile));
  resize(760, 560);
  m_text->setFont(theme::monospace());
  m_text->setLineWrapMode(QPlainTextEdit::NoWrap);
  m_text->setAccessibleName(tr("Script"));
  m_note->setObjectName(QStringLiteral("script.note"));
  m_note->setWrapped()->setSelectable();
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  m_back = buttons->addButton(tr("Take the profile's own"), QDialogButtonBox::ResetRole);
  auto* column = new QVBoxLayout(this);
  column->addWidget(m_text, 1);
  column->addWidget(m_note);
  column->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
  connect(m_back, &QPushButton::clicked, this,
          [this] { m_text->setPlainText(QString::fromStdString(m_fromProfile)); });
  connect(m_text, &QPlainTextEdit::textChanged, this, [this] {
    look();
    if (m_showing) return;
    const QString text = m_text->toPlainText();
    if (text.toStdString() == m_fromProfile) {
      Q_EMIT takenBack();
    } else {
      Q_EMIT edited(text);
    }
  });
}

void ScriptDialog::show(const std::string& fromProfile, const std::optional<std::string>& edited) {
  m_fromProfile = fromProfile;
  const QString text = QString::fromStdString(edited.value_or(fromProfile));
  m_showing = true;
  if (m_text->toPlainText() != text) m_text->setPlainText(text);
  m_showing = false;
  look();
  QDialog::show();
}

void ScriptDialog::follow(const std::string& fromProfile) {
  if (fromProfile == m_fromProfile) return;
  const std::string before = std::exchange(m_fromProfile, fromProfile);
  m_showing = true;
  if (m_text->toPlainText().toStdString() == before) {
    m_text->setPlainText(QString::fromStdString(fromProfile));
  }
  m_showing = false;
  look();
}

void ScriptDialog::look() {
  const std::string text = m_text->toPlainText().toStdString();
  const QString problem = scriptProblem(text), difference = scriptDifference(m_fromProfile, text);
  m_note->setTone(!problem.isEmpty()      ? TextLabel::Tone::Bad
                  : !difference.isEmpty() ? TextLabel::Tone::Warning
                                          : TextLabel::Tone::Secondary);
  m_note->setText(!problem.isEmpty() ? problem
                  : !difference.isEmpty()
                      ? difference
                      : tr("It follows the profile. What you change here stays."));
  setEnabledBecause(m_back, !difference.isEmpty(), tr("It is the profile's own"));
}

}  // namespace tessera::ui
