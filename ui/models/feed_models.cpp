// SPDX-License-Identifier: MIT
#include "ui/models/feed_models.h"

#include <QDateTime>
#include <QLocale>
#include <filesystem>

#include "ui/widgets/numbers.h"

namespace tessera::ui {

FeedModel::FeedModel(std::vector<Event> RunHistory::*list, QObject* parent)
    : QAbstractTableModel(parent), m_list(list) {}

const std::vector<Event>& FeedModel::events() const {
  static const std::vector<Event> none;
  return m_feed ? m_feed->history().*m_list : none;
}

const Event& FeedModel::event(int row) const {
  return events()[m_rows - 1 - static_cast<std::size_t>(row)];
}

void FeedModel::setFeed(std::shared_ptr<RunFeed> feed) {
  if (feed == m_feed) return;
  beginResetModel();
  if (m_feed) m_feed->disconnect(this);
  m_feed = std::move(feed);
  m_rows = events().size();
  endResetModel();
  if (!m_feed) return;
  connect(m_feed.get(), &RunFeed::rewritten, this, [this] { restart(); });
  connect(m_feed.get(), &RunFeed::changed, this, [this] { follow(); });
}

void FeedModel::restart() {
  beginResetModel();
  m_rows = events().size();
  endResetModel();
}

void FeedModel::follow() {
  const std::size_t now = events().size();
  if (now < m_rows) return restart();
  if (now == m_rows) return;
  beginInsertRows({}, 0, static_cast<int>(now - m_rows) - 1);
  m_rows = now;
  endInsertRows();
}

int FeedModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_rows);
}

QVariant FeedModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  // Between the change of a history and rewritten(), fewer events may be there than rows.
  if (m_rows > events().size()) return {};
  return value(event(index.row()), index.column(), role);
}

Qt::ItemFlags FeedModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  return QAbstractTableModel::flags(index) | Qt::ItemNeverHasChildren;
}

namespace {
QVariant alignment(bool number) {
  return QVariant::fromValue(
      Qt::Alignment((number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
}
QString dateOf(double time) {
  return QLocale().toString(QDateTime::fromMSecsSinceEpoch(static_cast<qint64>(time * 1000)),
                            QLocale::ShortFormat);
}
}  // namespace

std::int64_t checkpointStep(const CheckpointEvent& event) {
  const std::string name = std::filesystem::path(event.path).filename().string();
  bool known = false;
  const qlonglong step = QString::fromStdString(name).section(u'-', -1).toLongLong(&known);
  return known && name.starts_with("step-") ? step : event.step + 1;
}

CheckpointsModel::CheckpointsModel(QObject* parent) : FeedModel(&RunHistory::checkpoints, parent) {}

int CheckpointsModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : ColumnCount;
}

QVariant CheckpointsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
  if (role == Qt::TextAlignmentRole) return alignment(section <= Took);
  if (role != Qt::DisplayRole) return {};
  const QString titles[] = {tr("Steps"), tr("Tokens"), tr("Size"),
                            tr("Took"),  tr("When"),   tr("Folder")};
  static_assert(std::size(titles) == ColumnCount);
  return titles[section];
}

QVariant CheckpointsModel::value(const Event& event, int column, int role) const {
  const auto& e = std::get<CheckpointEvent>(event.body);
  if (role == StepRole) return QVariant::fromValue<qint64>(e.step);
  if (role == PathRole) {
    const RunFolder* folder = feed() ? feed()->folder() : nullptr;
    return folder ? QString::fromStdString((folder->path() / e.path).string()) : QString();
  }
  if (role == Qt::TextAlignmentRole) return alignment(column <= Took);
  if (role != Qt::DisplayRole && role != Qt::ToolTipRole) return {};
  switch (column) {
    case Step:
      return numbers::whole(checkpointStep(e));
    case Tokens:
      return numbers::count(static_cast<double>(e.tokens));
    case Size:
      return e.bytes < 0 ? numbers::notMeasured() : numbers::bytes(static_cast<double>(e.bytes));
    case Took:
      return numbers::duration(e.seconds);
    case When:
      return dateOf(event.time);
    default:
      return QString::fromStdString(e.path);
  }
}

SamplesModel::SamplesModel(QObject* parent) : FeedModel(&RunHistory::samples, parent) {}

int SamplesModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : ColumnCount;
}

QVariant SamplesModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
  if (role == Qt::TextAlignmentRole) return alignment(section == Step);
  if (role != Qt::DisplayRole) return {};
  const QString titles[] = {tr("After step"), tr("Prompt"), tr("Text")};
  static_assert(std::size(titles) == ColumnCount);
  return titles[section];
}

QVariant SamplesModel::value(const Event& event, int column, int role) const {
  const auto& e = std::get<SampleEvent>(event.body);
  switch (role) {
    case StepRole:
      return QVariant::fromValue<qint64>(e.step);
    case PromptRole:
      return QString::fromStdString(e.prompt);
    case TextRole:
      return QString::fromStdString(e.text);
    case Qt::TextAlignmentRole:
      return alignment(column == Step);
    case Qt::ToolTipRole:
      return QString::fromStdString(column == Prompt ? e.prompt : e.prompt + e.text);
    case Qt::DisplayRole:
      if (column == Step) return numbers::whole(e.step);
      return QString::fromStdString(column == Prompt ? e.prompt : e.text).replace('\n', ' ');
    default:
      return {};
  }
}

}  // namespace tessera::ui
