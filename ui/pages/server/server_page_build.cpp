// SPDX-License-Identifier: MIT
// The parts of the page and how they are put together; what they do is in server_page.cpp.
#include <QAction>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QGridLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStackedLayout>
#include <QTabWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/pages/server/server_page.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/run_picker.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"

namespace tessera::ui {

namespace {
constexpr int kMostPort = 65'535, kMostWidth = 980, kLinesHeight = 190;

QVBoxLayout* cardColumn(Card* card, const QString& title) {
  auto* column = new QVBoxLayout(card);
  column->setContentsMargins(2 * theme::kGrid, theme::kGrid, 2 * theme::kGrid, theme::kGrid);
  column->setSpacing(theme::kGrid);
  column->addWidget((new TextLabel(title, theme::TextSize::Body, card))->setStrong());
  return column;
}

TextLabel* named(const QString& name, QWidget* parent) {
  return (new TextLabel(name, theme::TextSize::Body, parent))->setTone(TextLabel::Tone::Secondary);
}
}  // namespace

void ServerPage::build() {
  auto* body = new QWidget;
  auto* column = new QVBoxLayout(body);
  column->setContentsMargins(2 * theme::kGrid, 2 * theme::kGrid, 2 * theme::kGrid, theme::kGrid);
  column->setSpacing(theme::kGrid);
  column->addWidget(new TextLabel(tr("Server"), theme::TextSize::Title, body));
  column->addWidget(buildOrder());
  auto* rest = new QWidget(body);
  m_stack = new QStackedLayout(rest);
  auto* none = new QWidget(rest);
  auto* middle = new QVBoxLayout(none);
  m_empty = new EmptyState(
      tr("A server lets programs that speak OpenAI's API talk to a run, a checkpoint or a released "
         "model: from Python, curl, LangChain or LlamaIndex."),
      tr("Start the server"), QStringLiteral("server"), none);
  middle->addWidget(m_empty);
  m_stack->addWidget(none);
  m_stack->addWidget(buildBody());
  column->addWidget(rest, 1);
  setCentredBody(this, body, kMostWidth);
  addCommand(tr("Server: start or stop"), "server", [this] { startOrStop(); });
  addCommand(tr("Server: choose a folder"), "folder", [this] { chooseFolder(); });
}

void ServerPage::addCommand(const QString& text, const char* icon,
                            const std::function<void()>& run) {
  auto* action = new QAction(theme::icon(QString::fromLatin1(icon)), text, this);
  connect(action, &QAction::triggered, this, run);
  m_commands.push_back(action);
}

QWidget* ServerPage::buildOrder() {
  auto* card = new Card;
  QVBoxLayout* column = cardColumn(card, tr("What is served"));
  auto* first = new QHBoxLayout;
  first->setSpacing(theme::kGrid);
  m_picker = new RunPicker(studio().runs, card);
  m_picker->setAccessibleName(tr("Run that is served"));
  m_browse = new QPushButton(theme::icon(QStringLiteral("folder")), tr("Folder..."), card);
  m_browse->setToolTip(tr("A checkpoint, or the folder of a released model"));
  m_startStop = primaryButton(tr("Start"), card);
  first->addWidget(m_picker, 1);
  first->addWidget(m_browse);
  first->addWidget(m_startStop);
  auto* second = new QHBoxLayout;
  second->setSpacing(theme::kGrid);
  m_port = new QSpinBox(card);
  m_port->setRange(0, kMostPort);
  m_port->setSpecialValueText(tr("any"));
  m_port->setAccessibleName(tr("Port"));
  m_port->setToolTip(tr("Where it listens; 0: any port that is free"));
  m_port->setFocusPolicy(Qt::StrongFocus);
  m_weights = new QComboBox(card);
  m_weights->setAccessibleName(tr("Weights"));
  m_weights->setToolTip(tr("Rounded weights need less memory and are faster on a CPU"));
  m_weights->setFocusPolicy(Qt::StrongFocus);
  m_weights->addItem(tr("as they are"), QString());
  m_weights->addItem(tr("8 bits (q8_0)"), QStringLiteral("q8_0"));
  m_weights->addItem(tr("4 bits (q4_0)"), QStringLiteral("q4_0"));
  m_withKey = new QCheckBox(tr("Ask for a key"), card);
  m_withKey->setToolTip(tr("Programs must show a key, which is made here and kept for you alone"));
  m_network = new QCheckBox(tr("Other machines may ask"), card);
  m_network->setToolTip(
      tr("Listens at every address of this machine, with a key. What is sent is not encrypted."));
  second->addWidget(named(tr("Port"), card));
  second->addWidget(m_port);
  second->addWidget(named(tr("Weights"), card));
  second->addWidget(m_weights);
  second->addWidget(m_withKey);
  second->addWidget(m_network);
  second->addStretch(1);
  m_state = new TextLabel({}, theme::TextSize::Body, card);
  m_state->setObjectName(QStringLiteral("server.state"));
  second->addWidget(m_state);
  m_problem = new TextLabel({}, theme::TextSize::Body, card);
  m_problem->setObjectName(QStringLiteral("server.problem"));
  m_problem->setTone(TextLabel::Tone::Bad)->setWrapped()->setSelectable();
  column->addLayout(first);
  column->addLayout(second);
  column->addWidget(m_problem);
  return card;
}

QWidget* ServerPage::buildBody() {
  auto* body = new QWidget;
  auto* column = new QVBoxLayout(body);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(theme::kGrid);
  auto* row = new QHBoxLayout;
  row->setSpacing(theme::kGrid);
  row->addWidget(buildAddress(), 1);
  row->addWidget(buildCounts(), 1);
  column->addLayout(row);
  column->addWidget(buildTalk(), 1);
  return body;
}

QToolButton* ServerPage::copyButton(const QString& name, const std::function<QString()>& text) {
  QToolButton* button = iconButton(QStringLiteral("copy"), name, this);
  connect(button, &QToolButton::clicked, this, [this, text] {
    QGuiApplication::clipboard()->setText(text());
    studio().navigator.toast(tr("It is in the clipboard"));
  });
  return button;
}

QWidget* ServerPage::buildAddress() {
  auto* card = new Card;
  QVBoxLayout* column = cardColumn(card, tr("Address"));
  const auto add = [&](ElidedLabel*& label, const QString& name, const QString& copies,
                       const std::function<QString()>& text) {
    auto* holder = new QWidget(card);
    auto* line = new QHBoxLayout(holder);
    line->setContentsMargins(0, 0, 0, 0);
    TextLabel* title = named(name, holder);
    title->setFixedWidth(64);
    label = new ElidedLabel({}, holder);
    label->setMode(Qt::ElideMiddle);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    line->addWidget(title);
    line->addWidget(label, 1);
    line->addWidget(copyButton(copies, text));
    column->addWidget(holder);
    return holder;
  };
  add(m_base, tr("URL"), tr("Copy the address"), [this] { return m_server.address().base; });
  add(m_model, tr("Model"), tr("Copy the model's name"),
      [this] { return m_server.address().model; });
  m_keyRow = add(m_key, tr("Key"), tr("Copy the key"), [this] { return m_server.address().key; });
  m_showKey = new QCheckBox(tr("Show the key, here and in the lines below"), card);
  column->addWidget(m_showKey);
  column->addStretch(1);
  return card;
}

QWidget* ServerPage::buildCounts() {
  auto* card = new Card;
  QVBoxLayout* column = cardColumn(card, tr("Requests"));
  auto* grid = new QGridLayout;
  grid->setHorizontalSpacing(theme::kGrid);
  grid->setVerticalSpacing(theme::kHalf);
  const QString names[] = {tr("Running"), tr("Waiting"),    tr("Ended"), tr("Not answered"),
                           tr("Read"),    tr("Written"),    tr("Speed"), tr("Cache in use"),
                           tr("Reused"),  tr("Errors told")};
  int at = 0;
  for (const QString& name : names) {
    auto* value = new TextLabel(QString(), theme::TextSize::Body, card);
    value->setTabular();
    value->setAccessibleName(name);
    grid->addWidget(named(name, card), at / 2, at % 2 * 2);
    grid->addWidget(value, at / 2, at % 2 * 2 + 1);
    m_counts.push_back(value);
    ++at;
  }
  grid->setColumnStretch(1, 1);
  grid->setColumnStretch(3, 1);
  column->addLayout(grid);
  column->addStretch(1);
  return card;
}

QWidget* ServerPage::buildTalk() {
  auto* card = new Card;
  QVBoxLayout* column = cardColumn(card, tr("Talk to it"));
  auto* tabs = new QTabWidget(card);
  tabs->setDocumentMode(true);
  tabs->setAccessibleName(tr("Ways to talk to the server"));
  for (const TalkBy by : kTalkBy) {
    auto* tab = new QWidget(tabs);
    auto* inside = new QVBoxLayout(tab);
    inside->setContentsMargins(0, theme::kHalf, 0, 0);
    auto* text = new QPlainTextEdit(tab);
    text->setReadOnly(true);
    text->setFont(theme::monospace());
    text->setLineWrapMode(QPlainTextEdit::WidgetWidth);
    text->setMinimumHeight(kLinesHeight);
    text->setAccessibleName(tr("Lines for %1").arg(talkTitle(by)));
    auto* foot = new QHBoxLayout;
    const QString needs = talkNeeds(by);
    auto* note = new TextLabel(needs.isEmpty() ? QString() : tr("Needs: %1").arg(needs),
                               theme::TextSize::Caption, tab);
    note->setTone(TextLabel::Tone::Secondary)->setSelectable();
    auto* copy = new QPushButton(theme::icon(QStringLiteral("copy")), tr("Copy"), tab);
    copy->setAccessibleName(tr("Copy the lines for %1").arg(talkTitle(by)));
    connect(copy, &QPushButton::clicked, this, [this, by] {
      QGuiApplication::clipboard()->setText(talkLines(by, m_server.address()));
      studio().navigator.toast(tr("The lines for %1 are in the clipboard").arg(talkTitle(by)));
    });
    foot->addWidget(note, 1);
    foot->addWidget(copy);
    inside->addWidget(text, 1);
    inside->addLayout(foot);
    tabs->addTab(tab, talkTitle(by));
    m_lines[static_cast<std::size_t>(by)] = text;
  }
  column->addWidget(tabs, 1);
  return card;
}

}  // namespace tessera::ui
