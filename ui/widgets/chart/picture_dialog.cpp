// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/picture_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFileDialog>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_panel.h"
#include "ui/widgets/file_dialog.h"

namespace tessera::ui {

PictureDialog::PictureDialog(const ChartPanel& panel, QWidget* parent)
    : QDialog(parent),
      m_panel(panel),
      m_width(new QSpinBox(this)),
      m_height(new QSpinBox(this)),
      m_scale(new QComboBox(this)),
      m_preview(new QLabel(this)),
      m_pixels(new QLabel(this)) {
  setWindowTitle(tr("Save %1 as a picture").arg(panel.spec().title));
  setObjectName(QStringLiteral("picture-dialog"));
  for (QSpinBox* box : {m_width, m_height}) {
    box->setRange(240, 4000);
    box->setSingleStep(40);
    box->setSuffix(tr(" px"));
    connect(box, &QSpinBox::valueChanged, this, [this] { preview(); });
  }
  m_width->setValue(800);
  m_height->setValue(450);
  m_scale->addItem(tr("1 (screen)"), 1.0);
  m_scale->addItem(tr("2 (sharp)"), 2.0);
  m_scale->addItem(tr("3 (print)"), 3.0);
  m_scale->setCurrentIndex(1);
  connect(m_scale, &QComboBox::currentIndexChanged, this, [this] { preview(); });
  m_preview->setAlignment(Qt::AlignCenter);
  m_preview->setMinimumSize(480, 270);
  m_preview->setAccessibleName(tr("Preview"));
  auto* form = new QFormLayout;
  form->addRow(tr("&Width"), m_width);
  form->addRow(tr("&Height"), m_height);
  form->addRow(tr("&Scale"), m_scale);
  form->addRow(tr("File"), m_pixels);
  auto* row = new QHBoxLayout;
  row->addWidget(m_preview, 1);
  row->addLayout(form);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
  QPushButton* save = buttons->addButton(tr("Save picture..."), QDialogButtonBox::AcceptRole);
  connect(save, &QPushButton::clicked, this, [this] { chooseFile(); });
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  auto* layout = new QVBoxLayout(this);
  layout->addLayout(row, 1);
  layout->addWidget(buttons);
  preview();
}

QImage PictureDialog::picture() const {
  return m_panel.picture(QSize(m_width->value(), m_height->value()),
                         m_scale->currentData().toDouble());
}

void PictureDialog::preview() {
  const double scale = m_scale->currentData().toDouble();
  m_pixels->setText(tr("%1 x %2 pixels, PNG")
                        .arg(int(m_width->value() * scale))
                        .arg(int(m_height->value() * scale)));
  const QImage image = m_panel.picture(QSize(m_width->value(), m_height->value()), 1);
  m_preview->setPixmap(
      QPixmap::fromImage(image.scaled(480, 320, Qt::KeepAspectRatio, Qt::SmoothTransformation)));
}

void PictureDialog::chooseFile() {
  const auto take = [this](const QString& file) {
    Q_EMIT chosen(picture(), file);
    accept();
  };
  auto* dialog =
      fileDialog(this, this, tr("Save picture"), take,
                 QStringLiteral("%1-%2.png").arg(m_panel.group().fileStem(), m_panel.spec().id));
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilter(tr("PNG (*.png)"));
  dialog->setDefaultSuffix(QStringLiteral("png"));
  dialog->open();
}

}  // namespace tessera::ui
