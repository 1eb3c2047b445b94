// SPDX-License-Identifier: MIT
// The studio's stores without a window, for tests/hosts/faults.py: a conversation and a draft that
// grow without end, and the runs as the studio's library tells them. What was kept is printed once
// it is ("kept FILE NUMBER"), so that whoever kills this program knows what must be there:
//
//   kept chats/faults.json 12     twelve messages
//   kept drafts/ID.json 12        a draft whose text ends with 12
//   states {"RUN": "running"}     each time that the list of runs has changed, and every second
//   trouble WORDS                 why something could not be kept; it is tried again
#include <QCoreApplication>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTimer>
#include <cstdio>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "ui/bridge/chat/chat_store.h"
#include "ui/bridge/draft/draft_shelf.h"
#include "ui/bridge/runs/run_store.h"

namespace {

using namespace tessera::ui;

void tell(const QString& line) {
  std::printf("%s\n", line.toUtf8().constData());
  std::fflush(stdout);
}

class Writer : public QObject {
 public:
  Writer() : m_conversation(stored()) {
    m_draft.origin = {.kind = DraftOrigin::Kind::Preset, .name = QStringLiteral("faults")};
    m_draft.id = draftId(m_draft.origin);
    connect(&m_chats, &ChatStore::saved, this, &Writer::saved);
    connect(&m_chats, &ChatStore::failed, this, [this](quint64, const QString& why) {
      tell(QStringLiteral("trouble %1").arg(why));
      m_waits = false;
    });
    connect(&m_runs, &RunStore::runsChanged, this, &Writer::tellStates);
    connect(&m_runs, &RunStore::failed, this,
            [](const QString& why) { tell(QStringLiteral("trouble %1").arg(why)); });
    connect(&m_write, &QTimer::timeout, this, &Writer::write);
    connect(&m_look, &QTimer::timeout, this, &Writer::tellStates);
    m_write.start(150);
    m_look.start(1000);
  }

 private:
  /// As it was left by the one before, who may have been killed.
  static Conversation stored() {
    QFile file(QString::fromStdString((tessera::home_folder() / "chats/faults.json").string()));
    if (file.open(QIODevice::ReadOnly)) {
      return Conversation::fromJson(file.readAll(), file.fileName());
    }
    Conversation begun = Conversation::create();
    begun.id = QStringLiteral("faults");
    return begun;
  }

  void write() {
    if (!m_waits) {
      ChatMessage message;
      message.parent = m_conversation.size() - 1;
      message.text = QStringLiteral("message %1").arg(m_conversation.size() + 1);
      if (m_sent == m_conversation.size()) m_conversation.add(message);
      m_sent = m_conversation.size();
      m_waits = true;
      m_chats.save(m_conversation);
    }
    keep();
  }

  void saved() {
    m_waits = false;
    tell(QStringLiteral("kept chats/faults.json %1").arg(m_sent));
  }

  void keep() {
    m_draft.text = QStringLiteral("# %1").arg(m_conversation.size());
    try {
      keepDraft(m_draft);
      tell(QStringLiteral("kept drafts/%1.json %2").arg(m_draft.id).arg(m_conversation.size()));
    } catch (const std::exception& error) {
      tell(QStringLiteral("trouble %1").arg(QString::fromUtf8(error.what())));
    }
  }

  void tellStates() {
    const RunRows rows = m_runs.runs();
    if (!rows) return;
    QJsonObject states;
    for (const tessera::RunRow& row : *rows) {
      if (row.missing) continue;
      const std::string_view state = name_of(row.state);
      states[QString::fromStdString(row.folder.string())] =
          QString::fromUtf8(state.data(), static_cast<qsizetype>(state.size()));
    }
    tell(QStringLiteral("states %1")
             .arg(QString::fromUtf8(QJsonDocument(states).toJson(QJsonDocument::Compact))));
  }

  ChatStore m_chats;
  RunStore m_runs;
  Conversation m_conversation;
  KeptDraft m_draft;
  QTimer m_write, m_look;
  int m_sent = m_conversation.size();
  bool m_waits = false;
};

}  // namespace

int main(int argc, char** argv) {
  QCoreApplication application(argc, argv);
  try {
    const Writer writer;
    return QCoreApplication::exec();
  } catch (const std::exception& error) {
    tell(QStringLiteral("trouble %1").arg(QString::fromUtf8(error.what())));
    return 1;
  }
}
