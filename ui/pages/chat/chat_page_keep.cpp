// SPDX-License-Identifier: MIT
// What the chat page keeps: conversations in their files, and how to sample in the preferences.
#include <QFileDialog>
#include <QJsonDocument>
#include <QPlainTextEdit>
#include <QRegularExpression>
#include <QTimer>
#include <QToolButton>
#include <algorithm>
#include <utility>

#include "ui/bridge/desktop/preferences.h"
#include "ui/pages/chat/chat_inspector.h"
#include "ui/pages/chat/chat_page.h"
#include "ui/pages/chat/checkpoint_picker.h"
#include "ui/pages/chat/composer.h"
#include "ui/pages/chat/message_list.h"
#include "ui/pages/chat/message_widget.h"
#include "ui/widgets/file_dialog.h"

namespace tessera::ui {

namespace {
const QString kSampling = QStringLiteral("chat/sampling"),
              kFresh = QStringLiteral("chat/fresh_seed"), kExperts = QStringLiteral("chat/experts");
}  // namespace

void ChatPage::newChat() {
  saveNow();
  m_talk->setConversation(Conversation::create());
  m_systemButton->setChecked(false);
  m_composer->field()->setFocus();
  Q_EMIT locationChanged();
}

void ChatPage::sendInNewChat() {
  const QString text = m_composer->text();
  const QString system = m_talk->conversation().system;
  newChat();
  m_talk->setSystem(system);
  m_composer->clear();
  if (!text.isEmpty()) m_talk->send(text);
}

/// A conversation from its file, with the checkpoints that answered in it and as they sampled.
void ChatPage::takeConversation(const Conversation& read) {
  takeCheckpoints(read);
  m_talk->setConversation(read);
  m_dirty = false;  // it is in its file as it is
  m_save->stop();
  Q_EMIT locationChanged();
}

void ChatPage::takeCheckpoints(const Conversation& of) {
  bool sampled = false;
  for (int side = 0; side < 2; ++side) {
    const std::vector<int> path = of.path(side);
    const auto last = std::find_if(path.rbegin(), path.rend(), [&](int index) {
      return of.at(index).isAnswer() && of.at(index).side == side;
    });
    if (last == path.rend()) {
      // Nothing was compared in it; which checkpoint began to answer is free to stay.
      if (side == 1) m_talk->setCheckpoint(1, {});
      continue;
    }
    const ChatMessage& answer = of.at(*last);
    if (!answer.modelPath.isEmpty() && answer.modelPath != m_talk->checkpoint(side).path) {
      m_talk->setCheckpoint(side, checkpointAt(answer.modelPath, answer.model), false);
    }
    if (!std::exchange(sampled, true)) {
      m_talk->sampling = answer.sampling;
      m_inspector->setSampling(m_talk->sampling, m_talk->freshSeed);
    }
  }
}

void ChatPage::pick(int side, const ChatCheckpoint& checkpoint) {
  m_talk->setCheckpoint(side, checkpoint);
  studio().navigator.clearProblem(problemKey(side));
  forgetCounts();
  showConversation();
  Q_EMIT locationChanged();
}

/// An answer goes on with the model that began it.
void ChatPage::goOn(int index) {
  const ChatMessage& message = m_talk->conversation().at(index);
  if (m_talk->busy() || !message.isAnswer()) return;
  if (message.modelPath != m_talk->checkpoint(message.side).path) {
    pick(message.side, checkpointAt(message.modelPath, message.model));
  }
  m_talk->goOn(index);
}

void ChatPage::editQuestion(int index) {
  const ChatMessage& answer = m_talk->conversation().at(index);
  MessageWidget* widget = m_lists[static_cast<std::size_t>(answer.side)]->widgetOf(answer.parent);
  if (widget) widget->startEditing();
}

void ChatPage::openChat(const QString& file) {
  if (file.isEmpty()) return;
  saveNow();
  m_opening = m_store->open(file);
}

void ChatPage::removeChat(const QString& file, const QString& id) {
  if (id == m_talk->conversation().id) {
    m_dirty = false;
    m_save->stop();
    m_talk->setConversation(Conversation::create());
    m_dirty = false;
    m_save->stop();
  }
  if (file.isEmpty()) return;
  m_store->remove(file);
  studio().navigator.toast(tr("Removed the chat"),
                           [store = m_store, file] { store->restore(file); });
}

void ChatPage::exportChat() {
  if (m_talk->conversation().empty()) {
    studio().navigator.toast(tr("There is nothing to export yet"));
    return;
  }
  const auto chosen = [this](const QString& file) {
    m_store->exportTo(m_talk->conversation(), file);
  };
  static const QRegularExpression strange(QStringLiteral("[^\\w -]+"),
                                          QRegularExpression::UseUnicodePropertiesOption);
  constexpr int kMostName = 60;
  QString name = m_talk->conversation().titleOrBeginning().left(kMostName);
  name = name.replace(strange, QStringLiteral(" ")).simplified();
  if (name.isEmpty()) name = QStringLiteral("chat");
  auto* dialog =
      fileDialog(this, this, tr("Export the conversation"), chosen, name + QStringLiteral(".md"));
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilters({tr("Markdown (*.md)"), tr("JSON with all branches (*.json)")});
  dialog->setDefaultSuffix(QStringLiteral("md"));
  dialog->open();
}

void ChatPage::pickFolder(int side) {
  auto* dialog =
      fileDialog(this, this, tr("A folder with a model"),
                 [this, side](const QString& folder) { pick(side, checkpointOfFolder(folder)); });
  dialog->setFileMode(QFileDialog::Directory);
  dialog->open();
}

void ChatPage::editLast() {
  const std::vector<int> path = m_talk->conversation().path();
  const auto last = std::find_if(path.rbegin(), path.rend(), [this](int index) {
    return !m_talk->conversation().at(index).isAnswer();
  });
  if (last == path.rend() || m_talk->busy()) return;
  if (MessageWidget* widget = m_lists[0]->widgetOf(*last)) widget->startEditing();
}

void ChatPage::saveSoon() {
  m_dirty = true;
  if (!m_save->isActive()) m_save->start();
}

void ChatPage::saveNow() {
  m_save->stop();
  if (!std::exchange(m_dirty, false) || m_talk->conversation().empty()) return;
  m_store->save(m_talk->conversation());
}

void ChatPage::keepSampling() {
  m_talk->sampling = m_inspector->sampling();
  m_talk->freshSeed = m_inspector->freshSeed();
  m_talk->withExperts = m_inspector->recording();
  Preferences& preferences = studio().preferences;
  preferences.setValue(
      kSampling,
      QString::fromUtf8(QJsonDocument(m_talk->sampling.toJson()).toJson(QJsonDocument::Compact)));
  preferences.setValue(kFresh, m_talk->freshSeed);
  preferences.setValue(kExperts, m_talk->withExperts);
  Q_EMIT commandChanged();
}

void ChatPage::readSampling() {
  const Preferences& preferences = studio().preferences;
  const QByteArray json = preferences.value(kSampling, QString()).toString().toUtf8();
  m_talk->sampling = ChatSampling::fromJson(QJsonDocument::fromJson(json).object());
  m_talk->freshSeed = preferences.value(kFresh, true).toBool();
  m_talk->withExperts = preferences.value(kExperts, true).toBool();
  m_inspector->setSampling(m_talk->sampling, m_talk->freshSeed);
  m_inspector->setRecording(m_talk->withExperts);
}

}  // namespace tessera::ui
