// SPDX-License-Identifier: MIT
// The palette (Ctrl+K): finds any command, page, run or setting by a few letters of its name.
#pragma once

#include <QAbstractListModel>
#include <QFrame>
#include <QIcon>
#include <QPointer>
#include <functional>
#include <vector>

class QListView;

namespace tessera::ui {

class SearchField;
class TextLabel;

struct PaletteEntry {
  QString title;
  QString kind;      ///< "Command", "Page", "Run", "Setting"
  QString hint;      ///< a shortcut, the state of a run
  QString keywords;  ///< also searched, for less
  QString icon;
  std::function<void()> run;
  bool enabled = true;
  QString whyNot{};
};

/// The entries that match, best first; at most a hundred.
class PaletteModel : public QAbstractListModel {
  Q_OBJECT
 public:
  enum Role { KindRole = Qt::UserRole, HintRole, PositionsRole };
  using QAbstractListModel::QAbstractListModel;
  void setEntries(std::vector<PaletteEntry> entries);
  void setPattern(const QString& pattern);
  const PaletteEntry& entry(int row) const;
  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;

 private:
  struct Shown {
    std::size_t entry;
    int score;
    std::vector<int> positions;
  };
  std::vector<PaletteEntry> m_entries;
  std::vector<Shown> m_shown;
};

class Palette : public QFrame {
  Q_OBJECT
 public:
  explicit Palette(QWidget* window);
  /// Opens over the window; `entries` is asked anew each time.
  void open(std::vector<PaletteEntry> entries);
  void dismiss();
  SearchField* field() const { return m_field; }
  PaletteModel& model() { return *m_model; }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  void place();
  void moveCurrent(int key);
  void runCurrent();
  SearchField* m_field;
  PaletteModel* m_model;
  QListView* m_list;
  TextLabel* m_nothing;
  QPointer<QWidget> m_before;  ///< had the focus
};

}  // namespace tessera::ui
