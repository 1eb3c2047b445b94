// SPDX-License-Identifier: MIT
// Rail: the pages at the left, icons with labels.
#pragma once

#include <QString>
#include <QToolButton>
#include <QWidget>
#include <vector>

class QButtonGroup;
class QVBoxLayout;

namespace tessera::ui {

class RailButton : public QToolButton {
  Q_OBJECT
 public:
  RailButton(const QString& icon, const QString& title, QWidget* parent = nullptr);
  void setMark(int count);  ///< a small number at the icon; 0: none
  QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  int m_mark = 0;
};

class Rail : public QWidget {
  Q_OBJECT
 public:
  explicit Rail(QWidget* parent = nullptr);
  /// `low`: at the bottom.
  RailButton* add(const QString& page, const QString& icon, const QString& title,
                  const QString& shortcut, bool low);
  void setCurrent(const QString& page);
  RailButton* button(const QString& page) const;

 Q_SIGNALS:
  void chosen(const QString& page);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QVBoxLayout* m_box;
  QButtonGroup* m_group;
  std::vector<RailButton*> m_buttons;
  int m_high = 0;
};

}  // namespace tessera::ui
