// SPDX-License-Identifier: MIT
// BannerStack: the lines that say what failed, laid over the lower end of the page. They do not
// push it: what is under the pointer stays there. They lie above what the page keeps clear
// (ui/widgets/keeps_toasts_off.h).
#pragma once

#include <QWidget>
#include <vector>

class QVBoxLayout;

namespace tessera::ui {

class Banner;

class BannerStack : public QWidget {
  Q_OBJECT
 public:
  /// Keeps to the lower end of `over`, its parent.
  explicit BannerStack(QWidget* over);
  /// The newest three are shown; older ones come back when those are closed.
  void add(Banner* banner);
  /// Oldest first, hidden ones included.
  std::vector<Banner*> banners() const;
  /// To be called when another page is shown below: above what it keeps clear.
  void place();

 protected:
  bool event(QEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void remove(Banner* banner);
  void trim();
  QVBoxLayout* m_box;
};

}  // namespace tessera::ui
