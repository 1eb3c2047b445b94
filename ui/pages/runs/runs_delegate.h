// SPDX-License-Identifier: MIT
// How cells of the table of runs are painted: state badges, progress, curves, tags as chips.
#pragma once

#include <QStyledItemDelegate>

namespace tessera::ui {

class RunsDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option,
             const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QWidget* createEditor(QWidget* parent, const QStyleOptionViewItem& option,
                        const QModelIndex& index) const override;

 private:
  void paintRunState(QPainter& painter, const QStyleOptionViewItem& option,
                     const QModelIndex& index) const;
  void paintName(QPainter& painter, const QStyleOptionViewItem& option,
                 const QModelIndex& index) const;
  void paintHead(QPainter& painter, const QStyleOptionViewItem& option,
                 const QModelIndex& index) const;
  void paintProgress(QPainter& painter, const QStyleOptionViewItem& option,
                     const QModelIndex& index) const;
  void paintTags(QPainter& painter, const QStyleOptionViewItem& option,
                 const QModelIndex& index) const;
};

}  // namespace tessera::ui
