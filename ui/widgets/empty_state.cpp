// SPDX-License-Identifier: MIT
#include "ui/widgets/empty_state.h"

#include <QIcon>
#include <QPainter>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/widgets/controls.h"

namespace tessera::ui {

namespace {
/// Draws its icon anew at each paint, so that it follows the scheme.
class Picture : public QWidget {
 public:
  Picture(const QString& name, QWidget* parent) : QWidget(parent), m_icon(theme::icon(name)) {
    setFixedSize(40, 40);
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    m_icon.paint(&painter, rect(), Qt::AlignCenter, QIcon::Disabled);
  }

 private:
  QIcon m_icon;
};
}  // namespace

EmptyState::EmptyState(const QString& sentence, const QString& button, const QString& icon,
                       QWidget* parent)
    : QWidget(parent),
      m_sentence(new TextLabel(sentence, theme::TextSize::Body, this)),
      m_button(new QPushButton(button, this)) {
  m_sentence->setTone(TextLabel::Tone::Secondary)->setWrapped();
  m_sentence->setAlignment(Qt::AlignCenter);
  m_sentence->setMaximumWidth(460);
  m_sentence->setMinimumWidth(200);
  m_button->setVisible(!button.isEmpty());
  auto* box = new QVBoxLayout(this);
  box->setContentsMargins(2 * theme::kGrid, theme::kGrid, 2 * theme::kGrid, theme::kGrid);
  box->setSpacing(theme::kGrid + theme::kHalf);
  box->addStretch();
  if (!icon.isEmpty()) box->addWidget(new Picture(icon, this), 0, Qt::AlignHCenter);
  // NOTE: with an alignment a wrapped label is given the height of its narrowest shape.
  auto* row = new QHBoxLayout;
  row->addStretch(1);
  row->addWidget(m_sentence, 100);
  row->addStretch(1);
  box->addLayout(row);
  box->addWidget(m_button, 0, Qt::AlignHCenter);
  box->addStretch();
  connect(m_button, &QPushButton::clicked, this, &EmptyState::pressed);
}

void EmptyState::setSentence(const QString& sentence) {
  m_sentence->setText(sentence);
}

void EmptyState::setButton(const QString& text) {
  m_button->setText(text);
  m_button->setVisible(!text.isEmpty());
}

}  // namespace tessera::ui
