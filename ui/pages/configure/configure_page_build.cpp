// SPDX-License-Identifier: MIT
// The parts of Configure and how they are put together; what they do is in configure_page.cpp.
#include <QButtonGroup>
#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSplitter>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/launch/terminal_command.h"
#include "ui/pages/configure/configure_page.h"
#include "ui/pages/configure/place_bar.h"
#include "ui/pages/configure/plan_pane.h"
#include "ui/pages/configure/spec_form.h"
#include "ui/pages/configure/spec_text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

void ConfigurePage::build() {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(makeTop());
  layout->addWidget(m_place);
  layout->addWidget(separator(Qt::Horizontal, this));

  auto* body = new QVBoxLayout(m_body);
  body->setContentsMargins(0, 0, 0, 0);
  m_plan = new PlanPane(m_plans, m_speed, m_body);
  m_down = new QSplitter(Qt::Vertical, m_body);
  m_down->addWidget(makeFormSide());
  m_down->addWidget(makeTextSide());
  m_down->setStretchFactor(0, 3);
  m_down->setStretchFactor(1, 1);
  m_down->setChildrenCollapsible(false);
  m_across = new QSplitter(Qt::Horizontal, m_body);
  m_across->addWidget(m_down);
  m_across->addWidget(m_plan);
  m_across->setStretchFactor(0, 1);
  m_across->setStretchFactor(1, 0);
  m_across->setCollapsible(0, false);
  body->addWidget(m_across);
  layout->addWidget(m_body, 1);
  layout->addWidget(m_empty, 1);
  showBody();
}

void ConfigurePage::addCommands() {
  addCommand(tr("Launch"), "play", QKeySequence(Qt::CTRL | Qt::Key_Return), [this] { launch(); });
  addCommand(tr("Enqueue"), "queue", {}, [this] { enqueue(); });
  addCommand(tr("Save as spec…"), "save", QKeySequence::Save, [this] { save(); });
  addCommand(tr("Open spec file…"), "folder", QKeySequence::Open, [this] { openFile(); });
  addUndoCommands();
  addCommand(tr("Find a setting"), "search", QKeySequence::Find, [this] { m_search->setFocus(); });
  addCommand(tr("Look at the data"), "eye", {}, [this] { lookAtData(); });
  addCommand(tr("Write every key into the text"), "edit", {}, [this] { m_draft.writeOut(); });
}

QWidget* ConfigurePage::makeTop() {
  auto* top = new QWidget(this);
  auto* row = new QHBoxLayout(top);
  row->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid);
  row->setSpacing(theme::kGrid);
  m_presets = new QComboBox(top);
  m_presets->setAccessibleName(tr("Preset"));
  m_presets->setPlaceholderText(tr("Choose a preset"));
  m_presets->setMinimumWidth(150);
  m_presets->setFocusPolicy(Qt::StrongFocus);
  QToolButton* file = iconButton(QStringLiteral("folder"), tr("Open spec file"), top);
  m_origin = new ElidedLabel({}, top);
  m_origin->setFont(theme::font(theme::TextSize::Caption));
  m_origin->setForegroundRole(QPalette::PlaceholderText);
  m_save = iconButton(QStringLiteral("save"), tr("Save as spec"), top);
  m_enqueue = new QPushButton(theme::icon(QStringLiteral("queue")), tr("Enqueue"), top);
  m_enqueue->setToolTip(tr("Starts when its place is free and the runs before it have ended"));
  m_launch = primaryButton(tr("Launch"), top);
  row->addWidget(m_presets);
  row->addWidget(file);
  row->addWidget(m_origin, 1);
  addUndoButtons(row);
  row->addWidget(m_save);
  m_place = new PlaceBar(studio(), this);
  row->addWidget(m_place->box());
  row->addWidget(m_enqueue);
  row->addWidget(m_launch);
  connect(m_presets, &QComboBox::activated, this,
          [this](int index) { m_draft.loadPreset(m_presets->itemData(index).toString()); });
  connect(file, &QToolButton::clicked, this, &ConfigurePage::openFile);
  connect(m_save, &QToolButton::clicked, this, &ConfigurePage::save);
  connect(m_enqueue, &QPushButton::clicked, this, &ConfigurePage::enqueue);
  connect(m_launch, &QPushButton::clicked, this, &ConfigurePage::launch);
  return top;
}

QWidget* ConfigurePage::makeFormSide() {
  auto* side = new QWidget(this);
  auto* layout = new QVBoxLayout(side);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  auto* bar = new QHBoxLayout;
  bar->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid);
  m_search = new SearchField(tr("Find a setting"), 120, side);
  m_basic = new QPushButton(tr("Basic"), side);
  m_allKeys = new QPushButton(tr("All"), side);
  auto* group = new QButtonGroup(side);
  for (QPushButton* button : {m_basic, m_allKeys}) {
    button->setCheckable(true);
    group->addButton(button);
  }
  m_basic->setToolTip(tr("The settings that most runs need"));
  m_allKeys->setToolTip(tr("Every key of the spec"));
  m_basic->setChecked(true);
  bar->addWidget(m_search, 1);
  bar->addWidget(m_basic);
  bar->addWidget(m_allKeys);
  layout->addLayout(bar);
  m_form = new SpecForm(m_draft, side);
  layout->addWidget(m_form, 1);
  side->setMinimumHeight(160);
  connect(m_search, &SearchField::searched, m_form, &SpecForm::setSearch);
  connect(m_allKeys, &QPushButton::toggled, this, [this](bool all) {
    m_form->setAll(all);
    m_keeper->start();
  });
  connect(m_form, &SpecForm::fixed, this, &ConfigurePage::fix);
  connect(m_form, &SpecForm::sectionChanged, this, [this] {
    if (m_form->all()) m_allKeys->setChecked(true);
    if (!m_search->text().isEmpty()) m_search->clear();
    m_keeper->start();
  });
  connect(m_form, &SpecForm::curriculumAsked, this, [this] {
    studio().navigator.open({QStringLiteral("curriculum"), {}, {}});
  });
  connect(m_form, &SpecForm::dataAsked, this, &ConfigurePage::lookAtData);
  return side;
}

QWidget* ConfigurePage::makeTextSide() {
  auto* side = new QWidget(this);
  auto* layout = new QVBoxLayout(side);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(separator(Qt::Horizontal, side));
  m_text = new SpecText(m_draft, side);
  layout->addWidget(m_text, 1);
  layout->addWidget(separator(Qt::Horizontal, side));
  layout->addWidget(makeCommandLine());
  side->setMinimumHeight(110);
  return side;
}

QWidget* ConfigurePage::makeCommandLine() {
  auto* line = new QWidget(this);
  auto* row = new QHBoxLayout(line);
  row->setContentsMargins(theme::kGrid * 2, theme::kHalf, theme::kGrid, theme::kHalf);
  m_command = new ElidedLabel({}, line);
  m_command->setFont(theme::monospace());
  m_command->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_command->setAccessibleName(tr("The same by command line"));
  m_copyCommand = iconButton(QStringLiteral("copy"), tr("Copy the command"), line);
  row->addWidget(m_command, 1);
  row->addWidget(m_copyCommand);
  connect(m_copyCommand, &QToolButton::clicked, this, [this] {
    QGuiApplication::clipboard()->setText(inTerminal(command()));
    studio().navigator.toast(tr("The command is in the clipboard"));
  });
  return line;
}

}  // namespace tessera::ui
