// SPDX-License-Identifier: MIT
// How large a chart's picture shall be, with a preview, and where it goes.
#pragma once

#include <QDialog>
#include <QImage>

class QComboBox;
class QLabel;
class QSpinBox;

namespace tessera::ui {

class ChartPanel;

class PictureDialog : public QDialog {
  Q_OBJECT
 public:
  explicit PictureDialog(const ChartPanel& panel, QWidget* parent = nullptr);
  /// As set: the size on paper or a slide times the scale.
  QImage picture() const;

 Q_SIGNALS:
  void chosen(const QImage& picture, const QString& file);

 private:
  void preview();
  void chooseFile();
  const ChartPanel& m_panel;
  QSpinBox *m_width, *m_height;
  QComboBox* m_scale;
  QLabel *m_preview, *m_pixels;
};

}  // namespace tessera::ui
