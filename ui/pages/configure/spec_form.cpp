// SPDX-License-Identifier: MIT
#include "ui/pages/configure/spec_form.h"

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QHBoxLayout>
#include <QListWidget>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/bridge/draft/draft_spec.h"
#include "ui/pages/configure/layout_view.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/spec/field_editor.h"
#include "ui/widgets/spec/field_row.h"
#include "ui/widgets/spec/rate_editor.h"

namespace tessera::ui {

using spec::Key;
using spec::KeyType;
using spec::Schema;

namespace {
constexpr int kBuildMs = 12;  ///< for rows in one go, so that the window stays quick
constexpr int kFormWidth = 680;

std::string rootOf(const std::string& path) {
  return path.substr(0, path.find_first_of(".["));
}

/// A list of few words, with room around them.
class SectionList : public QListWidget {
 public:
  explicit SectionList(QWidget* parent) : QListWidget(parent) {
    setViewportMargins(2 * theme::kGrid, theme::kGrid, 0, 0);
  }
};

/// "web-2", where "web" is taken.
template <class List>
std::string freeName(const std::string& name, const List& all) {
  for (int n = 2;; ++n) {
    std::string free = name + '-' + std::to_string(n);
    const bool taken =
        std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.name == free; });
    if (!taken) return free;
  }
}

/// Where the pieces of a learning rate are: they are edited as a whole.
std::string formPlaceOf(const std::string& path) {
  const auto at = path.find(".learning_rate");
  return at == path.npos ? path : path.substr(0, at + std::string(".learning_rate").size());
}
}  // namespace

const std::vector<FormSection>& formSections() {
  static const std::vector<FormSection> all = {
      {QT_TRANSLATE_NOOP("FormSection", "Run"), {"run"}},
      {QT_TRANSLATE_NOOP("FormSection", "Model"), {"model"}},
      {QT_TRANSLATE_NOOP("FormSection", "Data"), {"tokenizer", "data"}},
      {QT_TRANSLATE_NOOP("FormSection", "Curriculum"), {"curriculum"}},
      {QT_TRANSLATE_NOOP("FormSection", "Optimiser"), {"optimiser", "stability"}},
      {QT_TRANSLATE_NOOP("FormSection", "Precision"), {"precision"}},
      {QT_TRANSLATE_NOOP("FormSection", "Parallelism"), {"parallel"}},
      {QT_TRANSLATE_NOOP("FormSection", "Checkpoints"),
       {"checkpoint", "validation", "samples", "events"}},
      {QT_TRANSLATE_NOOP("FormSection", "Host"), {"host"}},
  };
  return all;
}

SpecForm::SpecForm(DraftSpec& draft, QWidget* parent)
    : QWidget(parent),
      m_draft(draft),
      m_sections(new SectionList(this)),
      m_scroll(new QScrollArea(this)),
      m_hint(new TextLabel({}, theme::TextSize::Caption, this)),
      m_builder(new QTimer(this)) {
  for (const FormSection& section : formSections()) {
    auto* item = new QListWidgetItem(QCoreApplication::translate("FormSection", section.title));
    item->setSizeHint(QSize(0, theme::kRowHeight));
    m_sections->addItem(item);
  }
  m_sections->setFixedWidth(140);
  m_sections->setFrameShape(QFrame::NoFrame);
  m_sections->setAccessibleName(tr("Sections"));
  m_sections->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_scroll->setFrameShape(QFrame::NoFrame);
  m_scroll->setWidgetResizable(true);
  m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_hint->setTone(TextLabel::Tone::Secondary);
  m_hint->setContentsMargins(2 * theme::kGrid, theme::kHalf, theme::kGrid, theme::kHalf);

  auto* columns = new QHBoxLayout;
  columns->setSpacing(0);
  columns->addWidget(m_sections);
  columns->addWidget(separator(Qt::Vertical, this));
  columns->addWidget(m_scroll, 1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(columns, 1);
  layout->addWidget(m_hint);

  m_builder->setInterval(0);
  connect(m_builder, &QTimer::timeout, this, &SpecForm::buildSome);
  connect(m_sections, &QListWidget::currentRowChanged, this, [this](int index) {
    if (index < 0 || (index == m_section && m_words.isEmpty())) return;
    m_section = index;
    rebuild();
    Q_EMIT sectionChanged(index);
  });
  connect(&m_draft, &DraftSpec::changed, this, &SpecForm::refresh);
  m_section = 1;
  m_sections->setCurrentRow(m_section);
  rebuild();
}

void SpecForm::setAll(bool all) {
  if (m_all == all) return;
  m_all = all;
  rebuild();
}

void SpecForm::setSearch(const QString& words) {
  if (m_words == words.trimmed()) return;
  m_words = words.trimmed();
  const QSignalBlocker quiet(m_sections);
  m_sections->setCurrentRow(m_words.isEmpty() ? m_section : -1);
  rebuild();
}

void SpecForm::showSection(int index) {
  m_sections->setCurrentRow(index);
}

FieldRow* SpecForm::row(const std::string& path) const {
  const auto found = m_rows.find(path);
  return found == m_rows.end() ? nullptr : found->second;
}

std::vector<std::string> SpecForm::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, row] : m_rows) all.push_back(path);
  for (const auto& [path, rate] : m_rates) all.push_back(path);
  return all;
}

int SpecForm::sectionOf(const std::string& path) const {
  const std::string root = rootOf(path);
  for (std::size_t i = 0; i < formSections().size(); ++i) {
    const auto& roots = formSections()[i].roots;
    if (std::find(roots.begin(), roots.end(), root) != roots.end()) return static_cast<int>(i);
  }
  return -1;
}

/// A section without basic keys is shown whole.
bool SpecForm::hasBasic(int section) const {
  const auto any = [](const auto& self, const Schema& schema) -> bool {
    return std::any_of(schema.keys.begin(), schema.keys.end(), [&](const Key& key) {
      return key.basic || (key.child && !key.written_inline && self(self, *key.child));
    });
  };
  for (const std::string& name : formSections()[static_cast<std::size_t>(section)].roots) {
    const Key* key = spec::root().find(name);
    if (key && any(any, *key->child)) return true;
  }
  return false;
}

void SpecForm::goTo(const std::string& path) {
  const int section = sectionOf(path);
  if (section < 0) return;
  m_wanted = formPlaceOf(path);
  const Key* key = spec::find_key(m_wanted);
  const bool hidden = key && !key->basic && !m_all && hasBasic(section);
  if (!m_words.isEmpty() || section != m_section || hidden) {
    m_words.clear();
    m_section = section;
    m_all = m_all || hidden;
    const QSignalBlocker quiet(m_sections);
    m_sections->setCurrentRow(section);
    rebuild();
    Q_EMIT sectionChanged(section);
    return;
  }
  buildSome();
}

// ---- Building -----------------------------------------------------------------------------------

void SpecForm::rebuild() {
  m_builder->stop();
  m_toBuild.clear();
  m_rows.clear();
  m_rates.clear();
  m_rateDots.clear();
  m_headProblems.clear();
  m_hint->clear();
  m_body = new QWidget;
  auto* outer = new QHBoxLayout(m_body);
  outer->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid * 2);
  auto* column = new QWidget(m_body);
  column->setMaximumWidth(kFormWidth);
  m_rowsLayout = new QVBoxLayout(column);
  m_rowsLayout->setContentsMargins(0, 0, 0, 0);
  m_rowsLayout->setSpacing(0);
  m_rowsLayout->addStretch(1);
  outer->addWidget(column, 1);
  outer->addStretch(0);
  QWidget* old = m_scroll->takeWidget();
  m_scroll->setWidget(m_body);
  if (old) old->deleteLater();

  m_shape = shape();
  if (m_draft.loaded() && !m_draft.hasValues()) return showUnreadable();
  m_everyKey = m_all || !m_words.isEmpty() || !hasBasic(m_section);
  const Schema& root = spec::root();
  for (std::size_t i = 0; i < formSections().size(); ++i) {
    if (m_words.isEmpty() && static_cast<int>(i) != m_section) continue;
    for (const std::string& name : formSections()[i].roots) {
      const Key* key = root.find(name);
      if (!key) continue;
      const QString title = engineWord(key->help);
      if (key->type == KeyType::Table) {
        plan(*key->child, name + ".", title, 0);
        if (name == "parallel" && m_words.isEmpty()) addLayoutView();
      } else {
        for (std::size_t e = 0; e < key->count(&m_draft.spec()); ++e) addElement(*key, name, e);
      }
    }
  }
  buildSome();
}

/// A text that could not be read has no values: fields would show defaults that nobody chose.
void SpecForm::showUnreadable() {
  auto* none = new TextLabel(tr("The text below cannot be read, so its settings are not known. "
                                "Mend it there; the fields appear then."),
                             theme::TextSize::Body, m_body);
  none->setTone(TextLabel::Tone::Secondary)->setWrapped();
  m_rowsLayout->insertWidget(0, none);
}

/// Puts the rows of a table on the list of what is to be built; the heading comes with the first.
void SpecForm::plan(const Schema& schema, const std::string& prefix, const QString& title,
                    int level) {
  auto headed = std::make_shared<bool>(title.isEmpty());
  const auto head = [this, title, level, headed] {
    if (!std::exchange(*headed, true)) addHeading(title, level);
  };
  for (const Key& key : schema.keys) {
    const std::string path = prefix + key.name;
    const bool shown = m_everyKey || key.basic;
    if (key.is_plain() && shown) {
      m_toBuild.push_back([this, head, path, &key] {
        auto* made = new FieldRow(m_draft, path, key);
        if (!m_words.isEmpty() && !made->matches(m_words)) {
          delete made;
          return;
        }
        head();
        m_rowsLayout->insertWidget(m_rowsLayout->count() - 1, made);
        m_rows[path] = made;
        connect(made, &FieldRow::fixed, this, &SpecForm::fixed);
        connect(made, &FieldRow::heightChanged, this, &SpecForm::makeRoom);
        connect(made, &FieldRow::focused, m_hint, &QLabel::setText);
      });
    } else if (key.written_inline && shown) {
      m_toBuild.push_back([this, head, path, &key] {
        const QString title_ = keyTitle(key.name);
        const QString all =
            QString::fromStdString(path + ' ' + key.help + ' ') + engineWord(key.help);
        if (!m_words.isEmpty() && !all.contains(m_words, Qt::CaseInsensitive)) return;
        head();
        auto* head_ = new QWidget(m_body);
        auto* line = new QHBoxLayout(head_);
        line->setSpacing(theme::kGrid);
        auto* dot = new DifferenceDot(head_);
        auto* label = new TextLabel(title_, theme::TextSize::Body, head_);
        label->setToolTip(engineWord(key.help));
        line->addWidget(dot);
        line->addWidget(label, 1);
        line->setContentsMargins(0, theme::kHalf, 0, 0);
        auto* rate = new RateEditor(
            m_draft, path,
            static_cast<int>(std::strtol(path.c_str() + path.find('[') + 1, nullptr, 10)));
        auto* problem = new ProblemLine(m_body);
        problem->hide();
        connect(problem, &ProblemLine::fixed, this, &SpecForm::fixed);
        for (QWidget* widget :
             {head_, static_cast<QWidget*>(rate), static_cast<QWidget*>(problem)}) {
          if (widget != head_) widget->setContentsMargins(theme::kGrid, theme::kHalf, 0, 0);
          m_rowsLayout->insertWidget(m_rowsLayout->count() - 1, widget);
        }
        m_rates[path] = rate;
        m_rateDots[path] = dot;
        showRateDot(path);
        m_headProblems[path] = problem;
      });
    }
  }
  for (const Key& key : schema.keys) {
    const std::string path = prefix + key.name;
    const QString name = engineWord(key.help);
    if (key.type == KeyType::Table) {
      plan(*key.child, path + ".", name, level + 1);
    } else if (key.type == KeyType::List && !key.written_inline) {
      const RunSpec& spec = m_draft.spec();
      const std::size_t count = path == "data.sources" ? spec.data.sources.size() : 0;
      for (std::size_t i = 0; i < count; ++i) addElement(key, path, i);
    }
  }
}

/// The ranks behind the keys of their numbers.
void SpecForm::addLayoutView() {
  m_toBuild.push_back([this] {
    m_layoutView = new LayoutView(m_draft, m_body);
    m_layoutView->setPlan(m_plan);
    connect(m_layoutView, &LayoutView::heightChanged, this, &SpecForm::makeRoom);
    m_rowsLayout->insertWidget(m_rowsLayout->count() - 1, m_layoutView);
  });
}

void SpecForm::setPlan(const PlanPtr& plan) {
  m_plan = plan;
  if (m_layoutView) m_layoutView->setPlan(plan);
}

void SpecForm::addElement(const Key& list, const std::string& path, std::size_t index) {
  const RunSpec& spec = m_draft.spec();
  const bool stages = path == "curriculum";
  const std::size_t count = stages ? spec.curriculum.size() : spec.data.sources.size();
  const std::string element = path + '[' + std::to_string(index) + ']';
  if (m_words.isEmpty()) {
    m_toBuild.push_back([this, path, index, count, stages, element] {
      const QString title = stages ? tr("Stage %1 of %2").arg(index + 1).arg(count)
                                   : tr("Source %1 of %2").arg(index + 1).arg(count);
      addHeading(title, 0, elementButtons(path, index, count));
      auto* problem = new ProblemLine(m_body);
      problem->hide();
      connect(problem, &ProblemLine::fixed, this, &SpecForm::fixed);
      m_rowsLayout->insertWidget(m_rowsLayout->count() - 1, problem);
      m_headProblems[element] = problem;
      if (index == 0) m_headProblems[path] = problem;
    });
  }
  plan(*list.child, element + ".", m_words.isEmpty() ? QString() : QString::fromStdString(element),
       0);
}

void SpecForm::addHeading(const QString& text, int level, QWidget* buttons) {
  auto* line = new QWidget(m_body);
  auto* row = new QHBoxLayout(line);
  const bool first = m_rowsLayout->count() == 1;
  row->setContentsMargins(0, first ? 0 : theme::kGrid * 2, 0, theme::kHalf);
  QString shown = text;
  if (!shown.isEmpty()) shown[0] = shown[0].toUpper();
  auto* label =
      new TextLabel(shown, level == 0 ? theme::TextSize::Heading : theme::TextSize::Body, line);
  if (level > 0) label->setTone(TextLabel::Tone::Secondary);
  row->addWidget(label, 1);
  if (buttons) row->addWidget(buttons);
  m_rowsLayout->insertWidget(m_rowsLayout->count() - 1, line);
}

QWidget* SpecForm::elementButtons(const std::string& list, std::size_t index, std::size_t count) {
  auto* box = new QWidget(m_body);
  auto* row = new QHBoxLayout(box);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kHalf);
  const bool stages = list == "curriculum";
  const auto withList = [stages](RunSpec& spec, auto&& edit) {
    if (stages) {
      edit(spec.curriculum);
    } else {
      edit(spec.data.sources);
    }
  };
  const auto at = static_cast<std::ptrdiff_t>(index);
  if (stages && index == 0) {
    auto* curves =
        new QPushButton(theme::icon(QStringLiteral("curriculum")), tr("Show as curves"), box);
    curves->setFlat(true);
    connect(curves, &QPushButton::clicked, this, &SpecForm::curriculumAsked);
    row->addWidget(curves);
  }
  if (!stages && index == 0) {
    auto* look = new QPushButton(theme::icon(QStringLiteral("eye")), tr("Look at the data"), box);
    look->setToolTip(tr("The first documents of each source, and what is dropped and why"));
    look->setFlat(true);
    connect(look, &QPushButton::clicked, this, &SpecForm::dataAsked);
    row->addWidget(look);
  }
  const auto add = [&](const char* icon, const QString& name, bool enabled, const QString& why,
                       std::function<void(RunSpec&)> edit) {
    QToolButton* button = iconButton(QString::fromLatin1(icon), name, box);
    setEnabledBecause(button, enabled, why);
    connect(button, &QToolButton::clicked, this,
            [this, name, list, edit = std::move(edit)] { changeList(name, list, edit); });
    row->addWidget(button);
  };
  add("chevron-up", tr("Move up"), index > 0, tr("It is the first"),
      [=](RunSpec& spec) { withList(spec, [at](auto& all) { std::swap(all[at], all[at - 1]); }); });
  add("chevron-down", tr("Move down"), index + 1 < count, tr("It is the last"),
      [=](RunSpec& spec) { withList(spec, [at](auto& all) { std::swap(all[at], all[at + 1]); }); });
  add("copy", stages ? tr("Duplicate the stage") : tr("Duplicate the source"), true, {},
      [=](RunSpec& spec) {
        withList(spec, [at](auto& all) {
          auto twin = all[at];
          twin.name = freeName(twin.name, all);
          all.insert(all.begin() + at + 1, twin);
        });
      });
  add("trash", stages ? tr("Remove the stage") : tr("Remove the source"), count > 1,
      tr("At least one is needed"),
      [=](RunSpec& spec) { withList(spec, [at](auto& all) { all.erase(all.begin() + at); }); });
  return box;
}

void SpecForm::changeList(const QString& label, const std::string& list,
                          const std::function<void(RunSpec&)>& edit) {
  m_draft.change(label, list, {}, edit);
}

std::string SpecForm::shape() const {
  const RunSpec& spec = m_draft.spec();
  return std::to_string(spec.curriculum.size()) + '/' + std::to_string(spec.data.sources.size()) +
         (!m_draft.loaded()     ? "-"
          : m_draft.hasValues() ? ""
                                : "?");
}

void SpecForm::buildSome() {
  QElapsedTimer time;
  time.start();
  std::size_t done = 0;
  while (done < m_toBuild.size() && time.elapsed() < kBuildMs) m_toBuild[done++]();
  m_toBuild.erase(m_toBuild.begin(), m_toBuild.begin() + static_cast<std::ptrdiff_t>(done));
  if (!m_toBuild.empty()) {
    m_builder->start();
    return;
  }
  m_builder->stop();
  if (m_rows.empty() && m_rates.empty() && m_rowsLayout->count() == 1) {
    const QString text = m_words.isEmpty() ? tr("Every key of this section is under All.")
                                           : tr("No setting matches \"%1\".").arg(m_words);
    auto* none = new TextLabel(text, theme::TextSize::Body, m_body);
    none->setTone(TextLabel::Tone::Secondary);
    none->setWrapped();
    m_rowsLayout->insertWidget(0, none);
  }
  placeProblems();
  makeRoom();
  const std::string wanted = std::exchange(m_wanted, {});
  if (wanted.empty()) return;
  QWidget* target = nullptr;
  if (FieldRow* found = row(wanted)) {
    target = found;
    found->editor()->field()->setFocus(Qt::OtherFocusReason);
  } else if (const auto rate = m_rates.find(wanted); rate != m_rates.end()) {
    target = rate->second;
  }
  if (!target) return;
  // Once the rows that were just made have their places: before, there is nowhere to scroll to.
  QTimer::singleShot(0, target, [this, target] {
    m_body->layout()->activate();
    m_scroll->ensureWidgetVisible(target, 0, 2 * theme::kRowHeight);
  });
}

/// The rows' own heights: a column of rows that are built one after another is given less.
void SpecForm::makeRoom() {
  int height = 0;
  for (int i = 0; i < m_rowsLayout->count(); ++i) {
    const QWidget* widget = m_rowsLayout->itemAt(i)->widget();
    // NOTE: a row that its layout has yet to show counts as hidden too.
    const bool hidden =
        widget && widget->isHidden() && widget->testAttribute(Qt::WA_WState_ExplicitShowHide);
    if (widget && !hidden) height += widget->sizeHint().height();
  }
  m_rowsLayout->parentWidget()->setMinimumHeight(height);
}

// ---- Following the draft ------------------------------------------------------------------------

void SpecForm::refresh() {
  if (shape() != m_shape) {
    const int scroll = m_scroll->verticalScrollBar()->value();
    rebuild();
    m_scroll->verticalScrollBar()->setValue(scroll);
    return;
  }
  for (const auto& [path, row] : m_rows) row->refresh();
  if (m_layoutView) m_layoutView->refresh();
  for (const auto& [path, rate] : m_rates) {
    rate->refresh();
    showRateDot(path);
  }
}

/// The pieces of a rate are edited as a whole, and have one dot.
void SpecForm::showRateDot(const std::string& path) {
  m_rateDots.at(path)->setOn(m_draft.differsBelow(path), tr("Differs from where the draft began"));
}

void SpecForm::setProblems(const std::vector<PlanProblem>& problems) {
  m_problems = problems;
  placeProblems();
  countProblems();
  makeRoom();
}

void SpecForm::placeProblems() {
  std::map<std::string, const PlanProblem*> first;
  for (const PlanProblem& p : m_problems) first.emplace(formPlaceOf(p.problem.key), &p);
  for (const auto& [path, row] : m_rows) {
    const auto found = first.find(path);
    row->setProblem(found == first.end() ? nullptr : found->second);
  }
  for (const auto& [path, line] : m_headProblems) line->hide();
  for (const auto& [path, line] : m_headProblems) {
    const auto found = first.find(path);
    if (found != first.end()) line->show(*found->second);
  }
}

void SpecForm::countProblems() {
  std::vector<int> counts(formSections().size());
  for (const PlanProblem& p : m_problems) {
    const int section = sectionOf(p.problem.key);
    if (section >= 0) ++counts[static_cast<std::size_t>(section)];
  }
  for (int i = 0; i < m_sections->count(); ++i) {
    const int n = counts[static_cast<std::size_t>(i)];
    const QString title = QCoreApplication::translate(
        "FormSection", formSections()[static_cast<std::size_t>(i)].title);
    QListWidgetItem* item = m_sections->item(i);
    item->setText(n > 0 ? QStringLiteral("%1 (%2)").arg(title).arg(n) : title);
    item->setToolTip(n > 0 ? tr("%n problem(s)", nullptr, n) : QString());
  }
}

}  // namespace tessera::ui
