// SPDX-License-Identifier: MIT
#include "ui/widgets/spec/rate_editor.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

#include "core/spec/spec_table.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"

namespace tessera::ui {

namespace {
const char* const kKinds[] = {"warmup", "constant", "cosine"};

QString text(double value) {
  return QString::fromStdString(spec::format_value(value));
}

std::optional<double> numberIn(QString typed) {
  typed.remove(u'_').remove(u' ');
  bool good = false;
  const double value = typed.toDouble(&good);
  return good ? std::optional(value) : std::nullopt;
}
}  // namespace

/// One line of the editor.
class RateEditor::Piece : public QWidget {
 public:
  Piece(RateEditor* editor, std::size_t index)
      : QWidget(editor),
        m_editor(editor),
        m_index(index),
        m_kind(new QComboBox(this)),
        m_unit(new QComboBox(this)),
        m_length(line(RateEditor::tr("Length of piece %1").arg(index + 1))),
        m_from(line(RateEditor::tr("Rate at the start of piece %1").arg(index + 1))),
        m_to(line(RateEditor::tr("Rate at the end of piece %1").arg(index + 1))) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(theme::kHalf);
    for (const char* kind : kKinds) m_kind->addItem(QString::fromLatin1(kind));
    m_kind->setAccessibleName(RateEditor::tr("Shape of piece %1").arg(index + 1));
    m_unit->addItems({RateEditor::tr("steps"), RateEditor::tr("tokens"), RateEditor::tr("rest")});
    m_unit->setAccessibleName(RateEditor::tr("Unit of the length of piece %1").arg(index + 1));
    m_length->setFixedWidth(78);
    m_from->setPlaceholderText(RateEditor::tr("goes on"));
    m_from->setToolTip(RateEditor::tr("Rate at its start; empty is where the piece before ended"));
    m_to->setToolTip(RateEditor::tr("Rate at its end"));
    m_remove =
        iconButton(QStringLiteral("close"), RateEditor::tr("Remove piece %1").arg(index + 1), this);
    for (QWidget* widget : {static_cast<QWidget*>(m_kind), static_cast<QWidget*>(m_length),
                            static_cast<QWidget*>(m_unit), static_cast<QWidget*>(m_from)}) {
      row->addWidget(widget);
    }
    row->addWidget(new QLabel(QStringLiteral("→"), this));
    row->addWidget(m_to);
    row->addWidget(m_remove);
    row->addStretch(1);
    connect(m_kind, &QComboBox::activated, this, [this](int kind) {
      edit([kind](RatePiece& p) { p.kind = static_cast<RateKind>(kind); });
    });
    connect(m_unit, &QComboBox::activated, this, [this] { takeLength(); });
    connect(m_length, &QLineEdit::editingFinished, this, [this] { takeLength(); });
    connect(m_from, &QLineEdit::editingFinished, this, [this] {
      const auto value = numberIn(m_from->text());
      if (!value && !m_from->text().isEmpty()) return refuse(m_from);
      edit([value](RatePiece& p) { p.from = value; });
    });
    connect(m_to, &QLineEdit::editingFinished, this, [this] {
      const auto value = numberIn(m_to->text());
      if (!value) return refuse(m_to);
      edit([value](RatePiece& p) { p.to = *value; });
    });
    connect(m_remove, &QToolButton::clicked, this, [this] {
      m_editor->change(RateEditor::tr("Remove a piece of the rate"), [i = m_index](auto& pieces) {
        pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(i));
      });
    });
    refresh();
  }

  void refresh() {
    const auto& pieces = m_editor->pieces();
    if (m_index >= pieces.size()) return;
    const RatePiece& p = pieces[m_index];
    m_kind->setCurrentIndex(static_cast<int>(p.kind));
    const bool rest = p.tokens == 0 && p.steps == 0;
    m_unit->setCurrentIndex(rest ? 2 : p.tokens > 0 ? 1 : 0);
    const std::int64_t length = p.tokens > 0 ? p.tokens : p.steps;
    if (!m_editor->isRefused()) m_refused = nullptr;
    const auto show = [this](QLineEdit* field, const QString& value) {
      if (field != m_refused) field->setText(value);
    };
    show(m_length, rest ? QString() : QString::fromStdString(spec::format_value(length)));
    m_length->setEnabled(!rest);
    show(m_from, p.from ? text(*p.from) : QString());
    show(m_to, text(p.to));
    setEnabledBecause(m_remove, pieces.size() > 1, RateEditor::tr("A stage needs a rate"));
  }

 private:
  QLineEdit* line(const QString& name) {
    auto* edit = new QLineEdit(this);
    edit->setAccessibleName(name);
    edit->setFont(theme::font(theme::TextSize::Body, true));
    edit->setAlignment(Qt::AlignRight);
    edit->setFixedWidth(66);
    return edit;
  }

  void edit(const std::function<void(RatePiece&)>& change) {
    m_editor->change(RateEditor::tr("Change the learning rate"),
                     [&, i = m_index](auto& pieces) { change(pieces.at(i)); });
  }

  /// What was typed stays there until it is a number; the draft tells of it and is not launched.
  void refuse(QLineEdit* field) {
    m_refused = field;
    m_editor->refuse(field->text());
  }

  void takeLength() {
    const int unit = m_unit->currentIndex();
    // Where "rest" was chosen before, there is no number yet.
    const auto typed = m_length->text().isEmpty()
                           ? std::optional<double>(unit == 1 ? 1'000'000 : 100)
                           : numberIn(m_length->text());
    if (!typed && unit != 2) return refuse(m_length);
    const auto length = static_cast<std::int64_t>(typed.value_or(0));
    edit([unit, length](RatePiece& p) {
      p.steps = unit == 0 ? std::max<std::int64_t>(1, length) : 0;
      p.tokens = unit == 1 ? std::max<std::int64_t>(1, length) : 0;
    });
  }

  RateEditor* m_editor;
  std::size_t m_index;
  QComboBox* m_kind;
  QComboBox* m_unit;
  QLineEdit* m_refused = nullptr;  ///< holds what is no number
  QLineEdit* m_length;
  QLineEdit* m_from;
  QLineEdit* m_to;
  QToolButton* m_remove;
};

RateEditor::RateEditor(DraftSpec& draft, std::string path, int stage, QWidget* parent)
    : QWidget(parent), m_draft(draft), m_path(std::move(path)), m_stage(stage) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(theme::kHalf);
  m_rows = new QVBoxLayout;
  m_rows->setSpacing(theme::kHalf);
  layout->addLayout(m_rows);
  auto* add = new QPushButton(theme::icon(QStringLiteral("plus")), tr("Add a piece"), this);
  add->setFlat(true);
  layout->addWidget(add, 0, Qt::AlignLeft);
  connect(add, &QPushButton::clicked, this, [this] {
    change(tr("Add a piece to the rate"), [](auto& all) {
      RatePiece piece;
      if (!all.empty()) {
        piece.to = all.back().to;
        if (all.back().steps == 0 && all.back().tokens == 0) all.back().steps = 100;
      }
      all.push_back(piece);
    });
  });
  refresh();
}

const std::vector<RatePiece>& RateEditor::pieces() const {
  static const std::vector<RatePiece> kNone;
  const auto& stages = m_draft.spec().curriculum;
  const auto stage = static_cast<std::size_t>(m_stage);
  return stage < stages.size() ? stages[stage].learning_rate : kNone;
}

void RateEditor::change(const QString& label,
                        const std::function<void(std::vector<RatePiece>&)>& edit) {
  m_draft.change(label, m_path, QString(), [&](RunSpec& spec) {
    edit(spec.curriculum.at(static_cast<std::size_t>(m_stage)).learning_rate);
  });
}

bool RateEditor::isRefused() const {
  return m_draft.refused().count(m_path) > 0;
}

void RateEditor::refuse(const QString& typed) {
  m_draft.refuse(m_path, typed,
                 {.message = tr("%1 is no number").arg(typed).toStdString(),
                  .expected = tr("a number such as 3e-4").toStdString()});
}

void RateEditor::refresh() {
  while (m_pieces.size() > pieces().size()) {
    m_pieces.back()->hide();
    m_pieces.back()->deleteLater();
    m_pieces.pop_back();
  }
  while (m_pieces.size() < pieces().size()) {
    m_pieces.push_back(new Piece(this, m_pieces.size()));
    m_rows->addWidget(m_pieces.back());
  }
  for (Piece* piece : m_pieces) piece->refresh();
}

}  // namespace tessera::ui
