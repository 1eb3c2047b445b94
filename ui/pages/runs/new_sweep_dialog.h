// SPDX-License-Identifier: MIT
// What a new sweep is made of: a spec, the keys that differ with their values, and how many runs
// that is. The runs are made as `tessera sweep` makes them (core/launch/sweep_start.h).
#pragma once

#include <QDialog>
#include <optional>
#include <vector>

#include "core/launch/sweep_start.h"
#include "ui/shell_context.h"

class QComboBox;
class QCompleter;
class QLineEdit;
class QPushButton;
class QSpinBox;
class QTimer;
class QVBoxLayout;

namespace tessera::ui {

class TextLabel;

class NewSweepDialog : public QDialog {
  Q_OBJECT
 public:
  /// `run`: a run whose spec is offered first; empty: none.
  NewSweepDialog(Studio& studio, const QString& run, QWidget* parent);

  QComboBox* base() const { return m_base; }
  QLineEdit* tag() const { return m_tag; }
  QSpinBox* seeds() const { return m_seeds; }
  QSpinBox* draws() const { return m_draws; }
  QComboBox* rule() const { return m_rule; }
  QPushButton* start() const { return m_start; }
  QPushButton* moreKeys() const { return m_add; }
  /// Fields of the keys, from the first one on.
  QLineEdit* keyField(int row) const { return m_rows.at(static_cast<std::size_t>(row)).key; }
  QLineEdit* valuesField(int row) const { return m_rows.at(static_cast<std::size_t>(row)).values; }
  int keyRows() const { return static_cast<int>(m_rows.size()); }
  QString summary() const;

 Q_SIGNALS:
  void queued(const QString& tag, int runs);

 private:
  /// A spec that a sweep can begin from.
  struct Base {
    QString title, name, folder;
    std::string text;  ///< TOML
  };
  struct Row {
    QWidget* widget;
    QLineEdit *key, *values;
  };
  struct Looked {
    int runs = 0;
    QString first, problem;
  };
  void buildForm();
  void addRow();
  void removeRow(const QWidget* widget);
  void listBases(const QString& run);
  void takeBases(const std::vector<Base>& bases);
  void change();
  void look();
  void show(const Looked& looked);
  void queue();
  SweepOrder order() const;  ///< throws Error where a field says nothing sensible
  static std::vector<Base> readBases(const QString& run, const std::string& runFolder);
  static RunSpec specWith(const Base& base, const std::vector<std::string>& settings);

  Studio& m_studio;
  std::vector<Base> m_bases;
  std::vector<Row> m_rows;
  QComboBox *m_base, *m_rule;
  QLineEdit* m_tag;
  QSpinBox *m_seeds, *m_draws, *m_after;
  QVBoxLayout* m_keys;
  QPushButton *m_add, *m_start;
  QCompleter* m_completer;
  TextLabel* m_summary;
  QTimer* m_wait;
  quint64 m_change = 0;
  bool m_tagTyped = false;
};

}  // namespace tessera::ui
