// SPDX-License-Identifier: MIT
// What the page does; server_page_build.cpp makes its parts.
#include "ui/pages/server/server_page.h"

#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStackedLayout>

#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/launch/terminal_command.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/run_picker.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
using State = ModelServer::State;

/// As it is shown where it must not be read by chance.
QString hidden(const QString& key) {
  return QString(8, QChar(0x2022)) + key.right(4);
}
}  // namespace

ServerPage::ServerPage(Studio& studio, QWidget* parent)
    : Page(studio, parent), m_server(ModelServer::of(studio.preferences)) {
  build();
  restore();
  connectParts();
  if (m_server.isAlive()) {
    setModel({}, m_server.order().path);
  } else {
    setModel(studio.selection.run(), {});
  }
  showState();
}

void ServerPage::connectParts() {
  connect(&m_server, &ModelServer::stateChanged, this, &ServerPage::showState);
  connect(&m_server, &ModelServer::countsChanged, this, &ServerPage::showCounts);
  connect(&studio().runs, &RunStore::runsChanged, this, &ServerPage::showState);
  connect(m_picker, &RunPicker::picked, this, [this](const QString& id) { setModel(id, {}); });
  connect(m_browse, &QPushButton::clicked, this, &ServerPage::chooseFolder);
  connect(m_startStop, &QPushButton::clicked, this, &ServerPage::startOrStop);
  connect(m_empty, &EmptyState::pressed, this, [this] {
    if (order().path.isEmpty()) return chooseFolder();
    startOrStop();
  });
  connect(m_showKey, &QCheckBox::toggled, this, [this] {
    showAddress();
    showLines();
  });
  const auto changed = [this] {
    keep();
    showState();
  };
  connect(m_port, &QSpinBox::valueChanged, this, changed);
  connect(m_weights, &QComboBox::activated, this, changed);
  connect(m_withKey, &QCheckBox::clicked, this, changed);
  connect(m_network, &QCheckBox::clicked, this, changed);
}

void ServerPage::open(const Location& location) {
  const QString folder = location.arguments.value(QStringLiteral("folder"));
  if (m_server.isAlive()) return;  // what runs stays shown
  if (!folder.isEmpty()) return setModel({}, folder);
  if (!location.subject.isEmpty()) return setModel(location.subject, {});
  if (m_run.isEmpty() && m_folder.isEmpty()) setModel(studio().selection.run(), {});
}

Location ServerPage::location() const {
  Location here{QStringLiteral("server"), m_run, {}};
  if (!m_folder.isEmpty()) here.arguments[QStringLiteral("folder")] = m_folder;
  return here;
}

void ServerPage::setActivity(bool visible, bool) {
  m_server.setWatched(visible);
}

QString ServerPage::command() const {
  ServerOrder wanted = order();
  if (wanted.path.isEmpty()) return QStringLiteral("tessera serve --http PORT RUN");
  if (!m_run.isEmpty()) wanted.path = m_run;
  QString line = QStringLiteral("tessera");
  for (const QString& word : serverArguments(wanted, ModelServer::keyFile())) {
    line += u' ' + shellWord(word);
  }
  return line;
}

// ---- What is to be served -----------------------------------------------------------------------

ServerOrder ServerPage::order() const {
  ServerOrder order;
  order.path = m_folder;
  if (const RunRow* row = m_run.isEmpty() ? nullptr : studio().runs.run(m_run)) {
    order.path = QString::fromStdString(row->folder.string());
  }
  order.port = m_port->value();
  order.network = m_network->isChecked();
  order.withKey = m_withKey->isChecked();
  order.weights = m_weights->currentData().toString();
  return order;
}

void ServerPage::setModel(const QString& run, const QString& folder) {
  m_run = run;
  m_folder = folder;
  m_picker->setNoneText(folder.isEmpty() ? tr("Choose a run")
                                         : tr("Folder: %1").arg(QFileInfo(folder).fileName()));
  m_picker->setRun(run);
  m_picker->setToolTip(folder);
  showState();
  Q_EMIT locationChanged();
}

void ServerPage::chooseFolder() {
  auto* dialog = fileDialog(this, this, tr("Folder of a model or a checkpoint"),
                            [this](const QString& folder) { setModel({}, folder); });
  dialog->setFileMode(QFileDialog::Directory);
  dialog->open();
}

void ServerPage::startOrStop() {
  if (m_server.isAlive()) return m_server.stop();
  const ServerOrder wanted = order();
  if (!wanted.path.isEmpty()) m_server.start(wanted);
}

// ---- What is shown ------------------------------------------------------------------------------

void ServerPage::showState() {
  const State state = m_server.state();
  const bool alive = m_server.isAlive(), known = !order().path.isEmpty();
  const QString words[] = {tr("Not running"), tr("Loading the model"), tr("Running"),
                           tr("Ending: requests that run have 5 s"), tr("Not running")};
  m_state->setText(words[static_cast<int>(state)]);
  m_state->setTone(state == State::Running  ? TextLabel::Tone::Good
                   : state == State::Failed ? TextLabel::Tone::Bad
                                            : TextLabel::Tone::Secondary);
  m_problem->setVisible(state == State::Failed);
  m_problem->setText(engineWord(m_server.problem().toStdString()));
  m_startStop->setText(alive ? tr("Stop") : tr("Start"));
  setEnabledBecause(m_startStop, state != State::Stopping && (alive || known),
                    alive ? tr("It is ending") : tr("Choose a run or a folder first"));
  for (QWidget* one :
       std::initializer_list<QWidget*>{m_picker, m_browse, m_port, m_weights, m_network}) {
    setEnabledBecause(one, !alive, tr("Stop the server first"));
  }
  setEnabledBecause(m_withKey, !alive && !m_network->isChecked(),
                    alive ? tr("Stop the server first") : tr("Other machines always need a key"));
  const QSignalBlocker quiet(m_withKey);
  if (m_network->isChecked()) m_withKey->setChecked(true);
  m_empty->setButton(known ? tr("Start the server") : tr("Choose a folder"));
  m_stack->setCurrentIndex(state == State::Running || state == State::Stopping ? 1 : 0);
  m_empty->setVisible(!alive);
  showAddress();
  showCounts();
  showLines();
  Q_EMIT commandChanged();
}

void ServerPage::showAddress() {
  const ServerAddress& address = m_server.address();
  m_base->setFullText(address.base);
  m_model->setFullText(address.model);
  m_keyRow->setVisible(!address.key.isEmpty());
  m_showKey->setVisible(!address.key.isEmpty());
  m_key->setFullText(m_showKey->isChecked() ? address.key : hidden(address.key));
}

void ServerPage::showCounts() {
  const ServerCounts& c = m_server.counts();
  // What went well is not told: each look at these counts is an answer, too.
  double errors = 0;
  for (const auto& [status, count] : c.responses) errors += status < 400 ? 0 : count;
  const auto whole = [](double value) { return numbers::whole(static_cast<std::int64_t>(value)); };
  const QString values[] = {whole(c.running),
                            whole(c.waiting),
                            whole(c.ended),
                            whole(c.failed + c.refused),
                            numbers::tokens(c.promptTokens),
                            numbers::tokens(c.writtenTokens),
                            numbers::rate(m_server.tokensPerSecond(), tr("tokens/s")),
                            numbers::percent(c.cacheShare),
                            numbers::tokens(c.cachedTokens),
                            whole(errors)};
  for (std::size_t i = 0; i < m_counts.size(); ++i) m_counts[i]->setText(values[i]);
}

/// The key is in them; where it is hidden, copying still gives the lines that work.
void ServerPage::showLines() {
  ServerAddress shown = m_server.address();
  if (!shown.key.isEmpty() && !m_showKey->isChecked()) shown.key = hidden(shown.key);
  for (const TalkBy by : kTalkBy) {
    const QString text = talkLines(by, shown);
    if (lines(by)->toPlainText() != text) lines(by)->setPlainText(text);
  }
}

void ServerPage::keep() {
  Preferences& preferences = studio().preferences;
  preferences.setValue(QStringLiteral("server/port"), m_port->value());
  preferences.setValue(QStringLiteral("server/weights"), m_weights->currentData());
  preferences.setValue(QStringLiteral("server/network"), m_network->isChecked());
  preferences.setValue(QStringLiteral("server/with_key"), m_withKey->isChecked());
}

void ServerPage::restore() {
  const Preferences& preferences = studio().preferences;
  const int usual = ServerOrder().port;
  m_port->setValue(preferences.value(QStringLiteral("server/port"), usual).toInt());
  const QString weights = preferences.value(QStringLiteral("server/weights"), QString()).toString();
  m_weights->setCurrentIndex(std::max(0, m_weights->findData(weights)));
  m_network->setChecked(preferences.value(QStringLiteral("server/network"), false).toBool());
  m_withKey->setChecked(preferences.value(QStringLiteral("server/with_key"), false).toBool());
}

}  // namespace tessera::ui
