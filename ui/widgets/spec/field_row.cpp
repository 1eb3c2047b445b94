// SPDX-License-Identifier: MIT
#include "ui/widgets/spec/field_row.h"

#include <QEvent>
#include <QFontMetrics>
#include <QGridLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QRegularExpression>
#include <QResizeEvent>
#include <QToolButton>
#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/theme/theme.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/spec/field_editor.h"
#include "ui/widgets/spec/problem_text.h"

namespace tessera::ui {

namespace {
QString word(const std::string& text) {
  return QString::fromStdString(text);
}

/// What has no key is found by its line.
QString placedText(const Problem& problem, bool withKey) {
  const QString text = problemText(problem, withKey);
  if (!withKey || !problem.key.empty() || problem.line < 1) return text;
  return ProblemLine::tr("line %1: %2").arg(problem.line).arg(text);
}

/// Long keys may be broken behind a point or an underscore, so that a narrow pane shows all of
/// "parallel.micro_batch_sequences". For labels that nobody copies from: it adds signs.
QString breakable(const QString& text) {
  constexpr qsizetype kLong = 20;
  QStringList words = text.split(u' ');
  for (QString& one : words) {
    if (one.size() < kLong) continue;
    one.replace(u'_', QStringLiteral("_\u200B")).replace(u'.', QStringLiteral(".\u200B"));
    one.replace(u'/', QStringLiteral("/\u200B"));
  }
  return words.join(u' ');
}
}  // namespace

// ---- ProblemLine --------------------------------------------------------------------------------

ProblemLine::ProblemLine(QWidget* parent)
    : QWidget(parent),
      m_icon(new IconLabel(16, this)),
      m_text(new TextLabel({}, theme::TextSize::Caption, this)),
      m_fix(new QPushButton(tr("Fix"), this)),
      m_go(new QPushButton(tr("Show"), this)),
      m_what(new TextLabel({}, theme::TextSize::Caption, this)) {
  auto* layout = new QGridLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setHorizontalSpacing(theme::kHalf);
  layout->setVerticalSpacing(0);
  for (TextLabel* label : {m_text, m_what}) {
    label->setWrapped();
    label->setMinimumWidth(40);
  }
  m_text->setSelectable();
  m_what->setTone(TextLabel::Tone::Secondary);
  m_fix->setFlat(true);
  m_go->setFlat(true);
  m_remedy = new QHBoxLayout;
  m_remedy->setContentsMargins(0, 0, 0, 0);
  m_remedy->setSpacing(theme::kHalf);
  m_remedy->addWidget(m_fix, 0, Qt::AlignTop | Qt::AlignLeft);
  m_remedy->addWidget(m_go, 0, Qt::AlignTop | Qt::AlignRight);
  layout->addWidget(m_icon, 0, 0, Qt::AlignTop);
  layout->addWidget(m_text, 0, 1);
  layout->addLayout(m_remedy, 2, 1);
  m_lines = layout;
  layout->setColumnStretch(1, 1);
  connect(m_fix, &QPushButton::clicked, this, [this] { Q_EMIT fixed(m_problem); });
  connect(m_go, &QPushButton::clicked, this,
          [this] { Q_EMIT goTo(word(m_problem.problem.key), m_problem.problem.line); });
}

/// In a form, where the key stands beside it, what the button does has room in its line; in the
/// narrow list of the plan it has a line of its own.
void ProblemLine::place(bool narrow) {
  if (narrow) {
    m_lines->addWidget(m_what, 1, 1);
  } else {
    m_remedy->insertWidget(1, m_what, 1, Qt::AlignVCenter);
  }
  m_remedy->setStretchFactor(m_go, narrow ? 1 : 0);
}

void ProblemLine::show(const PlanProblem& problem, bool withKey) {
  m_problem = problem;
  place(withKey);
  const bool error = problem.problem.severity == Severity::Error;
  const QString severity = error ? QStringLiteral("error") : QStringLiteral("warning");
  m_icon->setName(severityIcon(severity));
  m_icon->setAccessibleName(severityWord(severity));
  m_icon->setToolTip(severityWord(severity));
  m_text->setTone(error ? TextLabel::Tone::Bad : TextLabel::Tone::Warning);
  m_text->setText(placedText(problem.problem, withKey));
  m_fix->setVisible(problem.fix.has_value());
  m_what->setVisible(problem.fix.has_value());
  m_go->setVisible(withKey && (!problem.problem.key.empty() || problem.problem.line > 0));
  m_go->setToolTip(tr("Goes to the setting or line that this is about"));
  QPalette palette = m_fix->palette();
  palette.setColor(QPalette::ButtonText, theme::colors().link);
  m_fix->setPalette(palette);
  m_go->setPalette(palette);
  if (problem.fix) {
    // What the button does is read before it is pressed, and not in a tip alone.
    const QString what = fixText(*problem.fix);
    m_what->setText(breakable(what));
    m_fix->setToolTip(what);
    m_fix->setAccessibleName(tr("Fix: %1").arg(what));
  }
  setVisible(true);
}

// ---- DifferenceDot ------------------------------------------------------------------------------

DifferenceDot::DifferenceDot(QWidget* parent) : QWidget(parent) {
  setFixedSize(theme::kGrid, theme::kRowHeight);
}

void DifferenceDot::setOn(bool on, const QString& tip) {
  setToolTip(on ? tip : QString());
  setAccessibleName(on ? tip : QString());
  if (m_on == on) return;
  m_on = on;
  update();
}

void DifferenceDot::paintEvent(QPaintEvent*) {
  if (!m_on) return;
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  painter.setBrush(theme::colors().accent);
  painter.drawEllipse(QRectF(1, height() / 2.0 - 3, 6, 6));
}

// ---- FieldRow -----------------------------------------------------------------------------------

FieldRow::FieldRow(DraftSpec& draft, std::string path, const spec::Key& key, QWidget* parent)
    : QWidget(parent),
      m_draft(draft),
      m_path(std::move(path)),
      m_key(key),
      m_dot(new DifferenceDot(this)),
      m_editor(makeFieldEditor(key, word(m_path), this)),
      m_reset(iconButton(QStringLiteral("undo"), tr("Reset to the preset"), this)),
      m_help(new TextLabel(engineWord(key.help), theme::TextSize::Caption, this)),
      m_layout(new QGridLayout(this)) {
  QLabel* label;
  if (key.term.empty()) {
    label = new QLabel(keyTitle(key.name), this);
  } else {
    label = new GlossaryLabel(word(key.term), keyTitle(key.name), this);
  }
  label->setBuddy(m_editor->field());
  m_help->setTone(TextLabel::Tone::Secondary);
  m_help->setWrapped();
  const bool words = key.type == spec::KeyType::TextList && key.choices.empty();
  const bool wide = key.type == spec::KeyType::Text || key.type == spec::KeyType::Path || words ||
                    key.type == spec::KeyType::PathList || key.type == spec::KeyType::Weights;
  auto* unit = new TextLabel(engineWord(key.unit), theme::TextSize::Caption, this);
  unit->setTone(TextLabel::Tone::Secondary);
  unit->setFixedWidth(wide ? 0 : 64);

  m_layout->setContentsMargins(0, theme::kHalf, 0, theme::kHalf);
  m_layout->setHorizontalSpacing(theme::kGrid);
  m_layout->setVerticalSpacing(0);
  m_editor->setFixedWidth(wide ? 240 : 150);
  m_layout->addWidget(m_dot, 0, 0, Qt::AlignTop);
  m_layout->addWidget(label, 0, 1, Qt::AlignTop);
  label->setFixedHeight(theme::kRowHeight);
  m_layout->addWidget(m_editor, 0, 2, Qt::AlignTop | Qt::AlignRight);
  m_layout->addWidget(unit, 0, 3);
  m_layout->addWidget(m_reset, 0, 4);
  m_layout->addWidget(m_help, 1, 1, 1, 3);
  m_layout->setColumnStretch(1, 1);
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  m_layout->setRowMinimumHeight(0, std::max(theme::kRowHeight, m_editor->leastHeight()));
  m_layout->setRowMinimumHeight(1, QFontMetrics(theme::font(theme::TextSize::Caption)).height());
  QSizePolicy keep = m_reset->sizePolicy();
  keep.setRetainSizeWhenHidden(true);
  m_reset->setSizePolicy(keep);
  m_reset->setFocusPolicy(Qt::TabFocus);

  connect(m_editor, &FieldEditor::edited, this, &FieldRow::take);
  connect(m_editor, &FieldEditor::typed, this, &FieldRow::read);
  connect(m_reset, &QToolButton::clicked, this, [this] { m_draft.reset(m_path); });
  m_editor->field()->installEventFilter(this);
  refresh();
}

QSize FieldRow::sizeHint() const {
  const int least = m_layout->totalMinimumSize().width();
  const int height = m_layout->hasHeightForWidth()
                         ? m_layout->totalHeightForWidth(std::max(least, width()))
                         : m_layout->totalSizeHint().height();
  return {least, height};
}

void FieldRow::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  const bool changed = event->size().width() != event->oldSize().width();
  if (changed && sizeHint().height() != height()) updateGeometry();
}

void FieldRow::refresh() {
  spec::Value value;
  try {
    value = spec::get_value(m_draft.spec(), m_path);
  } catch (const Error&) {
    return;  // of a list's element that is going away
  }
  const auto refused = m_draft.refused().find(m_path);
  const bool isRefused = refused != m_draft.refused().end();
  if (isRefused) {
    m_editor->setTyped(refused->second.typed);
  } else {
    m_editor->setValue(value);
  }
  const bool differs = isRefused || m_draft.differs(m_path);
  QString usual;
  try {
    usual = word(spec::format_value(spec::get_value(m_draft.baseline(), m_path)));
  } catch (const Error&) {
    usual = tr("nothing");
  }
  if (usual.isEmpty()) usual = tr("absent");
  m_dot->setOn(differs, tr("Differs from %1").arg(usual));
  m_reset->setVisible(differs);
  m_reset->setToolTip(tr("Reset to %1").arg(usual));
  setEnabledBecause(m_editor, m_draft.readable(),
                    tr("The text below has a mistake; mend it there, or undo"));
  const bool wasRefused = std::exchange(m_refused, isRefused);
  if (isRefused || wasRefused) setProblem(nullptr);
}

/// A value that was refused here is what matters, whatever the plan says of the one before.
void FieldRow::setProblem(const PlanProblem* problem) {
  const auto refused = m_draft.refused().find(m_path);
  if (refused == m_draft.refused().end()) return showProblem(problem);
  const Problem& own = refused->second.problem;
  const PlanProblem shown{own, find_fix(m_draft.spec(), own)};
  showProblem(&shown);
}

void FieldRow::showProblem(const PlanProblem* problem) {
  if (!problem && (!m_problem || m_problem->isHidden())) return;
  if (!m_problem) {
    m_problem = new ProblemLine(this);
    m_layout->addWidget(m_problem, 2, 1, 1, 4);
    connect(m_problem, &ProblemLine::fixed, this, &FieldRow::fixed);
  }
  if (problem) {
    m_problem->show(*problem);
  } else {
    m_problem->hide();
  }
  m_layout->invalidate();
  updateGeometry();
  Q_EMIT heightChanged();
}

/// The draft keeps it, so that it is neither launched over nor lost with this row.
void FieldRow::refuse(const Problem& problem) {
  m_draft.refuse(m_path, m_editor->typedText(), problem);
}

void FieldRow::take(const spec::Value& value) {
  if (std::holds_alternative<std::monostate>(value) && !m_key.optional) {
    return refuse({.message = "is empty", .expected = m_key.expected()});
  }
  if (const auto problem = m_draft.setValue(m_path, value)) refuse(*problem);
}

namespace {
/// "0,05" and "1,000" as the languages of their writers have it; nothing for other texts.
std::optional<Problem> commaIn(const QString& text, const spec::Key& key) {
  static const QRegularExpression fraction(QStringLiteral(R"(^\s*([-+]?\d+),(\d+)\s*$)"));
  static const QRegularExpression groups(QStringLiteral(R"(^\s*[-+]?\d{1,3}(,\d{3})+\s*$)"));
  QString meant = text.trimmed();
  if (key.type == spec::KeyType::Number && fraction.match(text).hasMatch()) {
    meant.replace(u',', u'.');
    return Problem{.message = FieldRow::tr("%1 has a comma").arg(text).toStdString(),
                   .expected = FieldRow::tr("a point: %1").arg(meant).toStdString(),
                   .nearest = meant.toStdString()};
  }
  if (key.type == spec::KeyType::Integer && groups.match(text).hasMatch()) {
    meant.replace(u',', u'_');
    return Problem{.message = FieldRow::tr("%1 has a comma").arg(text).toStdString(),
                   .expected = meant.toStdString(),
                   .nearest = meant.toStdString()};
  }
  return {};
}
}  // namespace

void FieldRow::read(const QString& text) {
  if (const auto comma = commaIn(text, m_key)) return refuse(*comma);
  RunSpec copy = m_draft.spec();
  const std::vector<Problem> problems = spec::set_text(copy, m_path, text.toStdString());
  if (!problems.empty()) return refuse(problems.front());
  take(spec::get_value(copy, m_path));
}

bool FieldRow::matches(const QString& words) const {
  const QString all = word(m_path) + u' ' + keyTitle(m_key.name) + u' ' + engineWord(m_key.help) +
                      u' ' + word(m_key.help) + u' ' + word(m_key.term) + u' ' +
                      engineWord(m_key.unit);
  for (const QString& one : words.split(u' ', Qt::SkipEmptyParts)) {
    if (!all.contains(one, Qt::CaseInsensitive)) return false;
  }
  return true;
}

QString FieldRow::hint() const {
  QString text = QStringLiteral("%1: %2").arg(word(m_path), engineWord(m_key.expected()));
  std::string path = m_path;
  const spec::Value usual = spec::default_value(path);
  const QString value = word(spec::format_value(usual));
  return tr("%1; default %2").arg(text, value.isEmpty() ? tr("absent") : value);
}

bool FieldRow::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::FocusIn) Q_EMIT focused(hint());
  if (event->type() == QEvent::FocusOut) m_editor->commit();
  return QWidget::eventFilter(watched, event);
}

}  // namespace tessera::ui
