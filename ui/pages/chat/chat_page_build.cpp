// SPDX-License-Identifier: MIT
// The chat page's parts and how they are put together; what they do is in chat_page.cpp.
#include <QAction>
#include <QHBoxLayout>
#include <QPlainTextEdit>
#include <QSplitter>
#include <QStackedWidget>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/bridge/desktop/tasks.h"
#include "ui/pages/chat/chat_inspector.h"
#include "ui/pages/chat/chat_page.h"
#include "ui/pages/chat/checkpoint_picker.h"
#include "ui/pages/chat/composer.h"
#include "ui/pages/chat/conversation_tree.h"
#include "ui/pages/chat/message_list.h"
#include "ui/pages/chat/template_dialog.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"

namespace tessera::ui {

namespace {
constexpr int kTreeWidth = 200, kSystemLines = 3;

QToolButton* toggle(const QString& text, const QString& tip, QWidget* parent) {
  auto* made = new QToolButton(parent);
  made->setText(text);
  made->setToolTip(tip);
  made->setCheckable(true);
  return made;
}
}  // namespace

void ChatPage::build() {
  m_tree = new ConversationTree(this);
  m_inspector = new ChatInspector(this);
  m_inspector->hide();
  auto* centre = new QWidget(this);
  auto* column = new QVBoxLayout(centre);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(buildBar());
  column->addWidget(separator(Qt::Horizontal, centre));
  m_notices = new QVBoxLayout;
  m_notices->setContentsMargins(theme::kGrid, 0, theme::kGrid, 0);
  m_notices->setSpacing(theme::kHalf);
  column->addLayout(m_notices);
  m_share = new TextLabel({}, theme::TextSize::Caption, centre);
  m_share->setTone(TextLabel::Tone::Secondary)->setWrapped();
  m_share->setContentsMargins(theme::kGrid, theme::kHalf, theme::kGrid, 0);
  m_share->hide();
  column->addWidget(m_share);
  m_legend = new TextLabel(tr("The less likely a token was, the stronger its colour. Click one, or "
                              "select several, to look into them in the inspector."),
                           theme::TextSize::Caption, centre);
  m_legend->setTone(TextLabel::Tone::Secondary)->setWrapped();
  m_legend->setContentsMargins(theme::kGrid, theme::kHalf, theme::kGrid, 0);
  m_legend->hide();
  column->addWidget(m_legend);
  m_system = new QPlainTextEdit(centre);
  m_system->setPlaceholderText(tr("System prompt: what the model is told before everything else"));
  m_system->setAccessibleName(tr("System prompt"));
  m_system->setTabChangesFocus(true);
  m_system->setFixedHeight(kSystemLines * m_system->fontMetrics().lineSpacing() + 2 * theme::kGrid);
  m_system->hide();
  column->addWidget(m_system);
  column->addWidget(buildMessages(), 1);
  m_composer = new Composer(centre);
  column->addWidget(separator(Qt::Horizontal, centre));
  column->addWidget(m_composer);

  m_outer = new QSplitter(Qt::Horizontal, this);
  m_outer->setChildrenCollapsible(true);
  m_outer->addWidget(m_tree);
  m_outer->addWidget(centre);
  m_outer->setStretchFactor(1, 1);
  m_outer->setCollapsible(1, false);
  m_outer->setSizes({kTreeWidth, 4 * kTreeWidth});
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(m_outer);
  setFocusProxy(m_composer->field());
}

QWidget* ChatPage::buildBar() {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(theme::kGrid, theme::kHalf, theme::kGrid, theme::kHalf);
  row->setSpacing(theme::kGrid);
  m_pickers[0] = new CheckpointPicker(tr("The checkpoint that answers"), bar);
  m_pickers[1] = new CheckpointPicker(tr("A second checkpoint that answers beside it"), bar);
  m_tokens = toggle(tr("Tokens"), tr("Show answers as tokens, coloured by their probability"), bar);
  m_systemButton = toggle(tr("System"), tr("Show the system prompt"), bar);
  QToolButton* reads = iconButton(QStringLiteral("table"), tr("Show what the model reads"), bar);
  QToolButton* output = iconButton(QStringLiteral("export"), tr("Export the conversation"), bar);
  row->addWidget(m_pickers[0]);
  row->addWidget(m_pickers[1]);
  row->addStretch(1);
  row->addWidget(m_tokens);
  row->addWidget(m_systemButton);
  row->addWidget(reads);
  row->addWidget(output);
  connect(reads, &QToolButton::clicked, this, &ChatPage::showTemplate);
  connect(m_tokens, &QToolButton::toggled, this, &ChatPage::setTokensShown);
  connect(m_systemButton, &QToolButton::toggled, this, [this](bool on) {
    m_system->setVisible(on);
    if (on) m_system->setFocus();
  });
  connect(output, &QToolButton::clicked, this, &ChatPage::exportChat);
  for (int side = 0; side < 2; ++side) {
    CheckpointPicker* picker = m_pickers[static_cast<std::size_t>(side)];
    connect(picker, &CheckpointPicker::picked, this,
            [this, side](const ChatCheckpoint& one) { pick(side, one); });
    connect(picker, &CheckpointPicker::folderWanted, this, [this, side] { pickFolder(side); });
    connect(picker, &CheckpointPicker::removed, this, [this, side] { pick(side, {}); });
  }
  return bar;
}

QWidget* ChatPage::buildMessages() {
  m_stack = new QStackedWidget(this);
  m_empty = new EmptyState({}, {}, QStringLiteral("chat"), m_stack);
  m_columns = new QSplitter(Qt::Horizontal, m_stack);
  m_columns->setChildrenCollapsible(false);
  for (int side = 0; side < 2; ++side) {
    auto* list = new MessageList(side, m_columns);
    list->setAccessibleName(side == 0 ? tr("Messages") : tr("Messages of the second checkpoint"));
    m_lists[static_cast<std::size_t>(side)] = list;
    m_columns->addWidget(list);
  }
  m_lists[1]->hide();
  m_stack->addWidget(m_empty);
  m_stack->addWidget(m_columns);
  return m_stack;
}

void ChatPage::makeCommands() {
  const auto add = [this](const QString& icon, const QString& text, auto run) {
    auto* action = new QAction(theme::icon(icon), text, this);
    connect(action, &QAction::triggered, this, run);
    m_commands.push_back(action);
  };
  add(QStringLiteral("plus"), tr("New chat"), [this] { newChat(); });
  m_commands.back()->setObjectName(QStringLiteral("new"));  // what Ctrl+N makes here
  add(QStringLiteral("stop"), tr("Stop the answer"), [this] { m_talk->stop(); });
  add(QStringLiteral("refresh"), tr("Regenerate the last answer"), [this] {
    const std::vector<int> path = m_talk->conversation().path();
    if (!path.empty() && m_talk->conversation().at(path.back()).isAnswer()) {
      m_talk->regenerate(path.back());
    }
  });
  add(QStringLiteral("play"), tr("Continue the last answer"), [this] {
    const std::vector<int> path = m_talk->conversation().path();
    if (!path.empty()) goOn(path.back());
  });
  add(QStringLiteral("edit"), tr("Edit the last message"), [this] { editLast(); });
  add(QStringLiteral("compare"), tr("Answer beside another checkpoint"),
      [this] { m_pickers[1]->click(); });
  add(QStringLiteral("eye"), tr("Show or hide tokens"), [this] { m_tokens->toggle(); });
  add(QStringLiteral("table"), tr("Show what the model reads"), [this] { showTemplate(); });
  add(QStringLiteral("export"), tr("Export the conversation"), [this] { exportChat(); });
}

void ChatPage::showTemplate() {
  auto* dialog = findChild<TemplateDialog*>();
  if (!dialog) {
    dialog = new TemplateDialog(this);
    connect(m_talk, &ChatTalk::tokenized, dialog, &TemplateDialog::setTokens);
    connect(m_talk, &ChatTalk::tokenizeFailed, dialog, &TemplateDialog::setProblem);
    connect(m_talk, &ChatTalk::engineChanged, dialog, [this] { askForTemplate(); });
    connect(m_talk, &ChatTalk::conversationChanged, dialog, [this] { askForTemplate(); });
    connect(m_talk, &ChatTalk::answerDone, dialog, [this] { askForTemplate(); });
  }
  dialog->show();
  dialog->raise();
  askForTemplate();
}

/// While it is shown it follows the conversation and what is being written.
void ChatPage::askForTemplate() {
  auto* dialog = findChild<TemplateDialog*>();
  if (!dialog || m_talk->tokenize(m_composer->text())) return;
  dialog->setProblem(m_talk->engine(0).loaded()
                         ? tr("Nothing is said yet: write a message, and it stands here.")
                         : tr("No model is loaded: choose a checkpoint at the top of the page."));
}

void ChatPage::connectTalk() {
  connect(m_talk, &ChatTalk::conversationChanged, this, [this] {
    showConversation();
    saveSoon();
  });
  connect(m_talk, &ChatTalk::answerGrew, this, [this](int index) {
    list(m_talk->conversation().at(index).side)->refresh(index);
    showMeter();
  });
  connect(m_talk, &ChatTalk::answerDone, this, [this](int index) {
    for (MessageList* one : m_lists) {
      one->refresh(index);
      one->setWaiting(index, {});
    }
    noteAnswer(index);
    showMeter();
    saveSoon();
  });
  connect(m_talk, &ChatTalk::waitingChanged, this, [this](int index) {
    list(m_talk->conversation().at(index).side)->setWaiting(index, m_talk->waitingFor(index));
  });
  connect(m_talk, &ChatTalk::busyChanged, this, [this] {
    const QString reason = tr("An answer is being written");
    for (MessageList* one : m_lists) one->setBusy(m_talk->busy(), reason);
    m_composer->setBusy(m_talk->busy());
    m_inspector->setBusy(m_talk->busy());
    if (!m_talk->busy()) m_count->start();
  });
  connect(m_talk, &ChatTalk::engineChanged, this, [this](int side) {
    noteLoading(side);
    showEngines();
    if (!m_talk->busy()) m_count->start();
  });
  connect(m_talk, &ChatTalk::failed, this, &ChatPage::showProblem);
  connect(m_talk, &ChatTalk::counted, this, &ChatPage::takeCount);
  connect(m_talk, &ChatTalk::countFailed, this, [this](int side, const QString& message) {
    if (side == 0) m_composer->meter()->setUnknown(message);
  });
}

void ChatPage::connectLists() {
  for (MessageList* one : m_lists) {
    connect(one, &MessageList::editDone, m_talk, &ChatTalk::edit);
    connect(one, &MessageList::regenerate, m_talk, &ChatTalk::regenerate);
    connect(one, &MessageList::goOn, this, &ChatPage::goOn);
    connect(one, &MessageList::editQuestion, this, &ChatPage::editQuestion);
    connect(one, &MessageList::showSibling, m_talk, &ChatTalk::show);
    connect(one, &MessageList::tokenPicked, this, &ChatPage::showToken);
    connect(one, &MessageList::spanPicked, this, &ChatPage::showSpan);
  }
  connect(m_composer, &Composer::sent, this, [this](const QString& text) { m_talk->send(text); });
  connect(m_composer, &Composer::stopped, m_talk, &ChatTalk::stop);
  connect(m_composer, &Composer::editLast, this, &ChatPage::editLast);
  connect(m_composer, &Composer::freshWanted, this, &ChatPage::sendInNewChat);
  connect(m_composer, &Composer::textChanged, this, [this] { m_count->start(); });
  connect(m_system, &QPlainTextEdit::textChanged, this, [this] {
    m_talk->setSystem(m_system->toPlainText().trimmed());
    Q_EMIT commandChanged();
    m_count->start();
    if (!m_talk->conversation().empty()) saveSoon();
  });
}

void ChatPage::connectTree() {
  connect(m_tree, &ConversationTree::newWanted, this, &ChatPage::newChat);
  connect(m_tree, &ConversationTree::opened, this, &ChatPage::openChat);
  connect(m_tree, &ConversationTree::removeWanted, this, &ChatPage::removeChat);
  connect(m_tree, &ConversationTree::turnPicked, this, [this](int index) {
    const std::vector<int> path = m_talk->conversation().path();
    if (std::find(path.begin(), path.end(), index) == path.end()) m_talk->show(index);
    m_lists[0]->reveal(index);
  });
  connect(m_tree, &ConversationTree::renameWanted, this,
          [this](const QString& file, const QString& id, const QString& title) {
            if (id == m_talk->conversation().id) return m_talk->setTitle(title.trimmed());
            m_store->rename(file, title.trimmed());
          });
}

void ChatPage::connectInspector() {
  connect(m_inspector, &ChatInspector::samplingChanged, this, &ChatPage::keepSampling);
  connect(m_inspector, &ChatInspector::regrow, m_talk, &ChatTalk::regrow);
}

}  // namespace tessera::ui
