// SPDX-License-Identifier: MIT
#include "ui/bridge/chat/chat_store.h"

#include <QDir>
#include <QFile>
#include <QSaveFile>
#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/paths.h"
#include "ui/bridge/desktop/worker_thread.h"

namespace tessera::ui {

namespace {
constexpr auto kSuffix = ".json";
constexpr auto kAside = "removed";  ///< folder of what was removed

QString textOf(const std::exception& error) {
  return QString::fromUtf8(error.what());
}

[[noreturn]] void fail(const QString& file, const QString& what, const char* hint) {
  throw Error(file.toStdString(), what.toStdString(), hint);
}

void write(const QString& name, const QByteArray& bytes) {
  QSaveFile file(name);
  if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size() || !file.commit()) {
    fail(name, ChatStore::tr("cannot be written: %1").arg(file.errorString()),
         "look at the disk's free space and at the folder's permissions");
  }
}

QString chatsFolder(const QString& given) {
  return given.isEmpty() ? QString::fromStdString((home_folder() / "chats").string()) : given;
}

/// Steps of the whole checkpoints of a run, newest first. A checkpoint gets its name when all of it
/// is written, and its manifest is written last.
std::vector<qint64> stepsOf(const QString& runFolder) {
  const QDir folder(runFolder + QStringLiteral("/checkpoints"));
  std::vector<qint64> steps;
  const QStringList names = folder.entryList({QStringLiteral("step-*")}, QDir::Dirs);
  for (const QString& name : names) {
    bool number = false;
    const qint64 step = name.mid(5).toLongLong(&number);
    const bool whole = QFile::exists(folder.filePath(name + QStringLiteral("/manifest.json")));
    if (number && whole) steps.push_back(step);
  }
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

bool isLive(RunState state) {
  return state == RunState::Running || state == RunState::Starting || state == RunState::Saving ||
         state == RunState::Stopping;
}
}  // namespace

QString ChatRun::checkpoint(qint64 step) const {
  return QStringLiteral("%1/checkpoints/step-%2").arg(folder).arg(step);
}

/// Lives in its own thread.
class ChatStore::Worker : public QObject {
 public:
  Worker(QString folder, ChatStore* store, std::shared_ptr<Mailbox> mailbox)
      : m_folder(std::move(folder)), m_store(store), m_mailbox(std::move(mailbox)) {}

  /// Runs `work`; what it throws becomes failed().
  template <class Work>
  void attempt(quint64 request, Work&& work) {
    try {
      work();
    } catch (const std::exception& error) {
      m_mailbox->post([store = m_store, request, text = textOf(error)] {
        Q_EMIT store->failed(request, text);
      });
    }
  }

  QDir folder() {
    const QDir dir(chatsFolder(m_folder));
    if (!dir.mkpath(QStringLiteral("."))) {
      fail(m_folder, ChatStore::tr("the folder of conversations cannot be made"),
           "look at the permissions of the folder above");
    }
    return dir;
  }

  void list() {
    attempt(0, [this] {
      const QDir dir = folder();
      std::vector<ChatEntry> entries;
      const QStringList names = dir.entryList({QStringLiteral("*.json")}, QDir::Files);
      for (const QString& name : names) {
        QFile file(dir.filePath(name));
        ChatEntry entry{file.fileName(), {}};
        if (!file.open(QIODevice::ReadOnly)) continue;
        if (readChatHeader(file.readLine(1 << 20), entry.header)) entries.push_back(entry);
      }
      std::sort(entries.begin(), entries.end(), [](const ChatEntry& a, const ChatEntry& b) {
        return a.header.updated > b.header.updated;
      });
      m_mailbox->post([store = m_store, entries] { store->take(entries); });
    });
  }

  static Conversation read(const QString& name) {
    QFile file(name);
    if (!file.open(QIODevice::ReadOnly)) {
      fail(name, ChatStore::tr("cannot be read: %1").arg(file.errorString()),
           "the conversation may have been removed");
    }
    return Conversation::fromJson(file.readAll(), name);
  }

  void open(quint64 request, const QString& name) {
    attempt(request, [&] {
      auto opened = std::make_shared<const Conversation>(read(name));
      m_mailbox->post(
          [store = m_store, request, opened] { Q_EMIT store->opened(request, opened); });
    });
  }

  void save(const Conversation& conversation) {
    attempt(0, [&] {
      write(folder().filePath(conversation.id + QLatin1String(kSuffix)), conversation.toJson());
      m_mailbox->post([store = m_store, id = conversation.id] { Q_EMIT store->saved(id); });
    });
    list();
  }

  void exportTo(const Conversation& conversation, const QString& file) {
    attempt(0, [&] {
      const bool json = file.endsWith(QLatin1String(kSuffix), Qt::CaseInsensitive);
      write(file, json ? conversation.toJson() : conversation.toMarkdown().toUtf8());
      m_mailbox->post([store = m_store, file] { Q_EMIT store->exported(file); });
    });
  }

  void rename(const QString& name, const QString& title) {
    attempt(0, [&] {
      Conversation conversation = read(name);
      conversation.title = title;
      write(name, conversation.toJson());
    });
    list();  // also after a failure: the list then says the old title again
  }

  void move(const QString& file, bool aside) {
    attempt(0, [&] {
      const QDir dir = folder();
      dir.mkpath(QLatin1String(kAside));
      const QString name = QFileInfo(file).fileName();
      const QString hidden = dir.filePath(QLatin1String(kAside) + u'/' + name);
      const QString& from = aside ? file : hidden;
      const QString& to = aside ? hidden : file;
      QFile::remove(to);
      if (!QFile::rename(from, to)) fail(from, ChatStore::tr("cannot be moved"), "");
    });
    list();
  }

  void checkpoints(const RunRows& rows) {
    auto runs = std::make_shared<std::vector<ChatRun>>();
    for (const RunRow& row : *rows) {
      if (row.archived || row.missing || m_mailbox->closed()) continue;
      ChatRun run{QString::fromStdString(row.id),
                  QString::fromStdString(row.name),
                  QString::fromStdString(row.folder.string()),
                  isLive(row.state),
                  row.created,
                  QString::fromStdString(row.parent),
                  {}};
      Known& known = m_known[row.id];
      if (known.lastWord != row.last_word || run.live || row.last_word == 0) {
        known = {row.last_word, stepsOf(run.folder)};
      }
      run.steps = known.steps;
      if (!run.steps.empty()) runs->push_back(std::move(run));
    }
    m_mailbox->post([store = m_store, runs] { Q_EMIT store->checkpointsListed(runs); });
  }

 private:
  /// Of a run whose log has not grown since.
  struct Known {
    double lastWord = -1;
    std::vector<qint64> steps;
  };
  std::map<std::string, Known> m_known;
  QString m_folder;
  ChatStore* m_store;
  std::shared_ptr<Mailbox> m_mailbox;
};

struct ChatStore::State {
  std::shared_ptr<Mailbox> mailbox;
  Worker* worker;
  WorkerThread thread;

  State(ChatStore* store, const QString& folder)
      : mailbox(std::make_shared<Mailbox>(store)),
        worker(new Worker(folder, store, mailbox)),
        thread(QStringLiteral("chats"), worker) {}
  ~State() { mailbox->close(); }
};

ChatStore::ChatStore(const QString& folder, QObject* parent)
    : QObject(parent), m_folder(folder), m_state(std::make_unique<State>(this, folder)) {}

ChatStore::~ChatStore() = default;

void ChatStore::take(std::vector<ChatEntry> list) {
  m_list = std::move(list);
  m_listed = true;
  Q_EMIT listChanged();
}

void ChatStore::refresh() {
  tell(m_state->worker, [worker = m_state->worker] { worker->list(); });
}

quint64 ChatStore::open(const QString& file) {
  const quint64 request = ++m_last;
  tell(m_state->worker, [worker = m_state->worker, request, file] { worker->open(request, file); });
  return request;
}

void ChatStore::save(const Conversation& conversation) {
  tell(m_state->worker, [worker = m_state->worker, conversation] { worker->save(conversation); });
}

void ChatStore::saveAtOnce(const Conversation& conversation) {
  if (conversation.empty()) return;
  try {
    const QDir folder(chatsFolder(m_folder));
    folder.mkpath(QStringLiteral("."));
    write(folder.filePath(conversation.id + QLatin1String(kSuffix)), conversation.toJson());
  } catch (const Error& error) {
    log::error("{}", error.what());
  }
}

void ChatStore::rename(const QString& file, const QString& title) {
  tell(m_state->worker, [worker = m_state->worker, file, title] { worker->rename(file, title); });
}

void ChatStore::remove(const QString& file) {
  tell(m_state->worker, [worker = m_state->worker, file] { worker->move(file, true); });
}

void ChatStore::restore(const QString& file) {
  tell(m_state->worker, [worker = m_state->worker, file] { worker->move(file, false); });
}

void ChatStore::exportTo(const Conversation& conversation, const QString& file) {
  tell(m_state->worker,
       [worker = m_state->worker, conversation, file] { worker->exportTo(conversation, file); });
}

void ChatStore::listCheckpoints(const RunRows& runs) {
  if (!runs) return;
  tell(m_state->worker, [worker = m_state->worker, runs] { worker->checkpoints(runs); });
}

}  // namespace tessera::ui
