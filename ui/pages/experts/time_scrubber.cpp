// SPDX-License-Identifier: MIT
#include "ui/pages/experts/time_scrubber.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMouseEvent>
#include <QSignalBlocker>
#include <QSlider>
#include <QStyle>
#include <QStyleOptionSlider>
#include <QToolButton>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"

namespace tessera::ui {

namespace {
constexpr int kFrameMs = 66, kWholeMs = 20'000, kRestMs = 200;

/// A click goes to the point, where the handle can be dragged on from.
class PointSlider : public QSlider {
 public:
  using QSlider::QSlider;

 protected:
  void mousePressEvent(QMouseEvent* event) override {
    if (event->button() == Qt::LeftButton && !handle().contains(event->pos())) {
      setValue(valueAt(event->pos().x()));
    }
    QSlider::mousePressEvent(event);
  }

 private:
  QRect part(QStyle::SubControl which) const {
    QStyleOptionSlider option;
    initStyleOption(&option);
    return style()->subControlRect(QStyle::CC_Slider, &option, which, this);
  }
  QRect handle() const { return part(QStyle::SC_SliderHandle); }
  int valueAt(int x) const {
    const QRect groove = part(QStyle::SC_SliderGroove);
    const int width = handle().width();
    return QStyle::sliderValueFromPosition(minimum(), maximum(), x - groove.left() - width / 2,
                                           groove.width() - width, isRightToLeft());
  }
};
}  // namespace

TimeScrubber::TimeScrubber(QWidget* parent)
    : QWidget(parent),
      m_play(iconButton(QStringLiteral("play"), tr("Play through the logged steps"), this)),
      m_back(iconButton(QStringLiteral("chevron-left"), tr("One logged step back"), this)),
      m_forward(iconButton(QStringLiteral("chevron-right"), tr("One logged step forward"), this)),
      m_newest(new QToolButton(this)),
      m_slider(new PointSlider(Qt::Horizontal, this)),
      m_text(new QLabel(this)) {
  m_newest->setText(tr("Newest"));
  m_newest->setCheckable(true);
  m_newest->setChecked(true);
  m_newest->setToolTip(tr("Stay at the newest logged step while the run goes on"));
  m_slider->setAccessibleName(tr("Logged step"));
  m_slider->setMinimumWidth(120);
  m_text->setFont(theme::font(theme::TextSize::Body, true));
  m_text->setMinimumWidth(210);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kHalf);
  for (QWidget* w : std::initializer_list<QWidget*>{m_play, m_back, m_forward}) row->addWidget(w);
  row->addWidget(m_slider, 1);
  row->addWidget(m_newest);
  row->addWidget(m_text);
  m_timer.setInterval(kFrameMs);
  m_rest.setSingleShot(true);
  m_rest.setInterval(kRestMs);
  connect(&m_timer, &QTimer::timeout, this, [this] { advance(); });
  connect(&m_rest, &QTimer::timeout, this, [this] {
    if (!playing() && !m_slider->isSliderDown()) Q_EMIT settled(index());
  });
  connect(m_slider, &QSlider::valueChanged, this, [this] { userMoved(); });
  connect(m_slider, &QSlider::sliderReleased, this, [this] { m_rest.start(); });
  connect(m_play, &QToolButton::clicked, this, [this] { setPlaying(!playing()); });
  connect(m_back, &QToolButton::clicked, this, [this] { m_slider->setValue(index() - 1); });
  connect(m_forward, &QToolButton::clicked, this, [this] { m_slider->setValue(index() + 1); });
  connect(m_newest, &QToolButton::clicked, this, [this](bool on) {
    setFollowing(on);
    if (on && m_count > 0) {
      setPlaying(false);
      setIndex(m_count - 1);
      Q_EMIT moved(index());
      m_rest.start();
    }
  });
  setCount(0);
}

int TimeScrubber::index() const {
  return m_count > 0 ? m_slider->value() : -1;
}

void TimeScrubber::setCount(int count) {
  m_count = count;
  const QSignalBlocker blocker(m_slider);
  m_slider->setRange(0, std::max(0, count - 1));
  m_slider->setPageStep(std::max(1, count / 20));
  if (m_following && !playing()) m_slider->setValue(count - 1);
  for (QWidget* w :
       std::initializer_list<QWidget*>{m_play, m_back, m_forward, m_slider, m_newest}) {
    setEnabledBecause(w, count > 1, tr("Only one step has been logged so far."));
  }
}

void TimeScrubber::setIndex(int index) {
  const QSignalBlocker blocker(m_slider);
  m_slider->setValue(index);
}

void TimeScrubber::setText(const QString& text) {
  m_text->setText(text);
  m_slider->setAccessibleDescription(text);
}

void TimeScrubber::setFollowing(bool following) {
  m_following = following;
  m_newest->setChecked(following);
}

void TimeScrubber::setPlaying(bool playing) {
  if (playing == m_timer.isActive()) return;
  if (playing) {
    setFollowing(false);
    if (index() >= m_count - 1) m_slider->setValue(0);
    m_timer.start();
  } else {
    m_timer.stop();
    m_rest.start();
  }
  m_play->setIcon(theme::icon(playing ? QStringLiteral("pause") : QStringLiteral("play")));
  m_play->setToolTip(playing ? tr("Stop playing") : tr("Play through the logged steps"));
  m_play->setAccessibleName(m_play->toolTip());
}

/// Through all of the run in about twenty seconds, or every step where there are few.
void TimeScrubber::advance() {
  const int stride = std::max(1, m_count * kFrameMs / kWholeMs);
  if (index() >= m_count - 1) {
    setPlaying(false);
    return;
  }
  m_slider->setValue(std::min(index() + stride, m_count - 1));
}

void TimeScrubber::userMoved() {
  if (!playing()) setFollowing(false);
  Q_EMIT moved(index());
  m_rest.start();
}

}  // namespace tessera::ui
