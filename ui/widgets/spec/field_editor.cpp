// SPDX-License-Identifier: MIT
#include "ui/widgets/spec/field_editor.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QMap>
#include <QPlainTextEdit>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/file_dialog.h"

namespace tessera::ui {

using spec::Key;
using spec::KeyType;
using spec::Value;

namespace {
constexpr int kPauseMs = 350;

QHBoxLayout* row(QWidget* widget) {
  auto* layout = new QHBoxLayout(widget);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(theme::kHalf);
  return layout;
}

class BoolEditor : public FieldEditor {
 public:
  explicit BoolEditor(QWidget* parent) : FieldEditor(parent), m_box(new QCheckBox(this)) {
    row(this)->addWidget(m_box);
    connect(m_box, &QCheckBox::toggled, this, [this](bool on) {
      m_box->setText(on ? FieldEditor::tr("on") : FieldEditor::tr("off"));
      if (!m_showing) Q_EMIT edited(Value(on));
    });
    m_box->setText(FieldEditor::tr("off"));
  }
  void setValue(const Value& value) override {
    m_showing = true;
    m_box->setChecked(std::get<bool>(value));
    m_showing = false;
  }
  QWidget* field() override { return m_box; }

 private:
  QCheckBox* m_box;
  bool m_showing = false;
};

class ChoiceEditor : public FieldEditor {
 public:
  ChoiceEditor(const Key& key, QWidget* parent) : FieldEditor(parent), m_box(new QComboBox(this)) {
    m_box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    row(this)->addWidget(m_box);
    for (const std::string& choice : key.choices) m_box->addItem(QString::fromStdString(choice));
    connect(m_box, &QComboBox::activated, this,
            [this] { Q_EMIT edited(Value(m_box->currentText().toStdString())); });
  }
  void setValue(const Value& value) override {
    m_box->setCurrentText(QString::fromStdString(std::get<std::string>(value)));
  }
  QWidget* field() override { return m_box; }

 private:
  QComboBox* m_box;
};

/// Any of a few words, each with a box.
class WordsEditor : public FieldEditor {
 public:
  WordsEditor(const Key& key, QWidget* parent) : FieldEditor(parent), m_group(new QWidget(this)) {
    row(this)->addWidget(m_group);
    auto* column = new QVBoxLayout(m_group);
    column->setContentsMargins(0, theme::kHalf, 0, theme::kHalf);
    column->setSpacing(theme::kGrid);  // the style lets boxes overlap by as much
    for (const std::string& choice : key.choices) {
      auto* box = new QCheckBox(QString::fromStdString(choice), m_group);
      box->setFixedHeight(theme::kIcon);
      column->addWidget(box, 0, Qt::AlignLeft);
      m_boxes.push_back(box);
      connect(box, &QCheckBox::clicked, this, [this] { Q_EMIT edited(current()); });
    }
    m_group->setFocusProxy(m_boxes.front());
  }
  void setValue(const Value& value) override {
    const auto& words = std::get<std::vector<std::string>>(value);
    for (QCheckBox* box : m_boxes) {
      const std::string word = box->text().toStdString();
      box->setChecked(std::find(words.begin(), words.end(), word) != words.end());
    }
  }
  QWidget* field() override { return m_group; }
  int leastHeight() const override {
    return static_cast<int>(m_boxes.size()) * (theme::kRowHeight - theme::kHalf);
  }

 private:
  Value current() const {
    std::vector<std::string> words;
    for (const QCheckBox* box : m_boxes) {
      if (box->isChecked()) words.push_back(box->text().toStdString());
    }
    return Value(words);
  }

  QWidget* m_group;
  std::vector<QCheckBox*> m_boxes;
};

/// One line: numbers, words, paths, weights.
class LineEditor : public FieldEditor {
 public:
  LineEditor(const Key& key, QWidget* parent)
      : FieldEditor(parent), m_type(key.type), m_line(new QLineEdit(this)) {
    QHBoxLayout* layout = row(this);
    layout->addWidget(m_line);
    if (isNumber()) {
      m_line->setFont(theme::font(theme::TextSize::Body, true));
      m_line->setAlignment(Qt::AlignRight);
    }
    if (key.optional) m_line->setPlaceholderText(FieldEditor::tr("absent"));
    if (m_type == KeyType::Weights) m_line->setPlaceholderText(FieldEditor::tr("the sources' own"));
    if (m_type == KeyType::Path) addBrowse(layout);
    m_pause.setSingleShot(true);
    m_pause.setInterval(kPauseMs);
    connect(&m_pause, &QTimer::timeout, this, &LineEditor::commit);
    connect(m_line, &QLineEdit::textEdited, this, [this] {
      m_dirty = true;
      m_pause.start();
    });
    connect(m_line, &QLineEdit::editingFinished, this, &LineEditor::commit);
  }

  void setValue(const Value& value) override {
    if (m_dirty) return;
    const QString text = textOf(value);
    // While it has the focus, "1000" is not turned into "1_000" under the fingers.
    if (m_line->hasFocus() && sameNumber(m_line->text(), text)) return;
    if (m_line->text() != text) {
      const int cursor = m_line->cursorPosition();
      m_line->setText(text);
      if (m_line->hasFocus()) m_line->setCursorPosition(cursor);
    }
    if (!m_line->hasFocus()) m_line->setCursorPosition(0);
  }

  void setTyped(const QString& text) override {
    if (!m_dirty && m_line->text() != text) m_line->setText(text);
  }
  QString typedText() const override { return m_line->text(); }

  void commit() override {
    m_pause.stop();
    if (!std::exchange(m_dirty, false)) return;
    m_line->setModified(false);  // from here on, undo is the draft's
    const QString text = m_line->text();
    if (m_type == KeyType::Text || m_type == KeyType::Path) {
      Q_EMIT edited(Value(text.toStdString()));
    } else if (text.trimmed().isEmpty() && m_type == KeyType::Weights) {
      Q_EMIT edited(Value(Mixture()));
    } else if (text.trimmed().isEmpty()) {
      Q_EMIT edited(Value());
    } else {
      Q_EMIT typed(text);
    }
  }

  QWidget* field() override { return m_line; }

 private:
  bool isNumber() const { return m_type == KeyType::Integer || m_type == KeyType::Number; }

  static bool sameNumber(QString a, QString b) {
    a.remove(u'_');
    b.remove(u'_');
    bool good = false;
    const double x = a.toDouble(&good);
    return good && x == b.toDouble(&good) && good;
  }

  QString textOf(const Value& value) const {
    if (const auto* text = std::get_if<std::string>(&value)) return QString::fromStdString(*text);
    if (const auto* mixture = std::get_if<Mixture>(&value); mixture && mixture->empty()) return {};
    return QString::fromStdString(spec::format_value(value));
  }

  void addBrowse(QHBoxLayout* layout) {
    QToolButton* browse =
        iconButton(QStringLiteral("folder"), FieldEditor::tr("Choose a file or folder"), this);
    layout->addWidget(browse);
    connect(browse, &QToolButton::clicked, this, [this] {
      const auto chosen = [this](const QString& path) {
        m_line->setText(path);
        Q_EMIT edited(Value(path.toStdString()));
      };
      auto* dialog = fileDialog(this, this, FieldEditor::tr("Choose"), chosen, m_line->text());
      dialog->setFileMode(QFileDialog::AnyFile);
      dialog->open();
    });
  }

  KeyType m_type;
  QLineEdit* m_line;
  QTimer m_pause;
  bool m_dirty = false;
};

/// Several lines: lists of words with one a line, and free text.
class TextEditor : public FieldEditor {
 public:
  TextEditor(const Key& key, QWidget* parent)
      : FieldEditor(parent), m_isList(key.type != KeyType::Text), m_text(new QPlainTextEdit(this)) {
    row(this)->addWidget(m_text);
    m_text->setTabChangesFocus(true);
    m_text->setPlaceholderText(m_isList ? FieldEditor::tr("one a line") : QString());
    m_text->setLineWrapMode(m_isList ? QPlainTextEdit::NoWrap : QPlainTextEdit::WidgetWidth);
    m_text->setFixedHeight(3 * m_text->fontMetrics().lineSpacing() + 2 * theme::kGrid);
    m_pause.setSingleShot(true);
    m_pause.setInterval(kPauseMs);
    connect(&m_pause, &QTimer::timeout, this, &TextEditor::commit);
    connect(m_text, &QPlainTextEdit::textChanged, this, [this] {
      if (m_showing) return;
      m_dirty = true;
      m_pause.start();
    });
  }

  void setValue(const Value& value) override {
    if (m_dirty || (m_text->hasFocus() && current() == value)) return;
    const QString text = textOf(value);
    if (m_text->toPlainText() == text) return;
    m_showing = true;
    m_text->setPlainText(text);
    m_text->document()->setModified(false);
    m_showing = false;
  }

  void commit() override {
    m_pause.stop();
    m_text->document()->setModified(false);  // from here on, undo is the draft's
    if (std::exchange(m_dirty, false)) Q_EMIT edited(current());
  }

  QWidget* field() override { return m_text; }

 private:
  Value current() const {
    const QString text = m_text->toPlainText();
    if (!m_isList) return Value(text.toStdString());
    std::vector<std::string> lines;
    for (const QString& line : text.split(u'\n')) {
      if (!line.trimmed().isEmpty()) lines.push_back(line.trimmed().toStdString());
    }
    return Value(lines);
  }

  QString textOf(const Value& value) const {
    if (const auto* text = std::get_if<std::string>(&value)) return QString::fromStdString(*text);
    QStringList lines;
    for (const std::string& line : std::get<std::vector<std::string>>(value)) {
      lines << QString::fromStdString(line);
    }
    return lines.join(u'\n');
  }

  bool m_isList;
  QPlainTextEdit* m_text;
  QTimer m_pause;
  bool m_dirty = false, m_showing = false;
};

FieldEditor* editorOf(const Key& key, QWidget* parent) {
  switch (key.type) {
    case KeyType::Bool:
      return new BoolEditor(parent);
    case KeyType::Choice:
      return new ChoiceEditor(key, parent);
    case KeyType::TextList:
      if (!key.choices.empty()) return new WordsEditor(key, parent);
      return new TextEditor(key, parent);
    case KeyType::PathList:
      return new TextEditor(key, parent);
    case KeyType::Text:
      if (key.name == "notes") return new TextEditor(key, parent);
      return new LineEditor(key, parent);
    default:
      return new LineEditor(key, parent);
  }
}
}  // namespace

FieldEditor* makeFieldEditor(const Key& key, const QString& path, QWidget* parent) {
  FieldEditor* editor = editorOf(key, parent);
  editor->field()->setObjectName(path);
  editor->field()->setAccessibleName(keyTitle(key.name));
  editor->setFocusProxy(editor->field());
  return editor;
}

QString keyTitle(const std::string& name) {
  QStringList words = QString::fromStdString(name).split(u'_');
  static const QMap<QString, QString> kSpelling = {
      {QStringLiteral("qk"), QStringLiteral("QK")},
      {QStringLiteral("kv"), QStringLiteral("KV")},
      {QStringLiteral("q"), QStringLiteral("Q")},
      {QStringLiteral("v"), QStringLiteral("V")},
      {QStringLiteral("k"), QStringLiteral("K")},
      {QStringLiteral("lora"), QStringLiteral("latent")},
      {QStringLiteral("moe"), QStringLiteral("MoE")},
      {QStringLiteral("mtp"), QStringLiteral("MTP")},
      {QStringLiteral("rms"), QStringLiteral("RMS")},
      {QStringLiteral("dim"), QStringLiteral("size")},
      {QStringLiteral("fim"), QStringLiteral("FIM")},
      {QStringLiteral("num"), QString()},
      {QStringLiteral("n"), QString()},
      {QStringLiteral("yarn"), QStringLiteral("YaRN")},
      {QStringLiteral("tok"), QStringLiteral("token")},
      {QStringLiteral("vocab"), QStringLiteral("vocabulary")},
      {QStringLiteral("eps"), QStringLiteral("epsilon")},
      {QStringLiteral("func"), QStringLiteral("function")},
      {QStringLiteral("topk"), QStringLiteral("top-k")},
      {QStringLiteral("prob"), QStringLiteral("weights")},
      {QStringLiteral("rope"), QStringLiteral("RoPE")},
      {QStringLiteral("nope"), QStringLiteral("plain")}};
  QStringList spelled;
  for (const QString& word : words) {
    const auto found = kSpelling.find(word);
    const QString spelling = found == kSpelling.end() ? word : *found;
    if (!spelling.isEmpty()) spelled << spelling;
  }
  QString title = spelled.join(u' ');
  if (!title.isEmpty()) title[0] = title[0].toUpper();
  return title;
}

}  // namespace tessera::ui
