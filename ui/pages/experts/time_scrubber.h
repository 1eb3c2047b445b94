// SPDX-License-Identifier: MIT
// TimeScrubber: a slider over logged steps, with play, one step back and forward, and "newest",
// which follows a run that goes on.
#pragma once

#include <QTimer>
#include <QWidget>
#include <cstdint>

class QLabel;
class QSlider;
class QToolButton;

namespace tessera::ui {

class TimeScrubber : public QWidget {
  Q_OBJECT
 public:
  explicit TimeScrubber(QWidget* parent = nullptr);

  /// The logged steps, by count; `text` tells where one is. Keeps the place, or the end while it
  /// follows.
  void setCount(int count);
  int count() const { return m_count; }
  int index() const;
  void setIndex(int index);  ///< without a word
  void setText(const QString& text);
  bool following() const { return m_following; }
  void setFollowing(bool following);
  bool playing() const { return m_timer.isActive(); }
  void setPlaying(bool playing);
  QSlider* slider() const { return m_slider; }
  QToolButton* playButton() const { return m_play; }

 Q_SIGNALS:
  void moved(int index);    ///< by the user or by playing
  void settled(int index);  ///< and came to rest there

 private:
  void advance();
  void userMoved();
  int m_count = 0;
  bool m_following = true;
  QToolButton *m_play, *m_back, *m_forward, *m_newest;
  QSlider* m_slider;
  QLabel* m_text;
  QTimer m_timer, m_rest;
};

}  // namespace tessera::ui
