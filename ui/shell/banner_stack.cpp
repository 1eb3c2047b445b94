// SPDX-License-Identifier: MIT
#include "ui/shell/banner_stack.h"

#include <QEvent>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/shell/kept_clear.h"
#include "ui/theme/theme.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/keeps_toasts_off.h"

namespace tessera::ui {

namespace {
constexpr std::size_t kMostBanners = 3;
constexpr int kMostWidth = 760;
}  // namespace

BannerStack::BannerStack(QWidget* over) : QWidget(over), m_box(new QVBoxLayout(this)) {
  m_box->setContentsMargins(0, 0, 0, 0);
  m_box->setSpacing(theme::kHalf);
  setProperty(kKeepsToastsOff, true);  // a toast does not hide what failed
  over->installEventFilter(this);
  hide();
}

std::vector<Banner*> BannerStack::banners() const {
  std::vector<Banner*> all;
  for (int i = 0; i < m_box->count(); ++i) {
    if (auto* banner = qobject_cast<Banner*>(m_box->itemAt(i)->widget())) all.push_back(banner);
  }
  return all;
}

void BannerStack::add(Banner* banner) {
  connect(banner, &Banner::closed, this, [this, banner] { remove(banner); });
  m_box->addWidget(banner);
  trim();
}

void BannerStack::remove(Banner* banner) {
  banner->hide();
  m_box->removeWidget(banner);
  banner->deleteLater();
  trim();
}

void BannerStack::trim() {
  const std::vector<Banner*> all = banners();
  const std::size_t hidden = all.size() > kMostBanners ? all.size() - kMostBanners : 0;
  for (std::size_t i = 0; i < all.size(); ++i) all[i]->setVisible(i >= hidden);
  setVisible(!all.empty());
  place();
  raise();
}

void BannerStack::place() {
  const QRect room = parentWidget()->rect();
  const int width = std::min(kMostWidth, room.width() - 2 * theme::kGrid);
  m_box->activate();
  const int height = m_box->hasHeightForWidth() ? m_box->totalHeightForWidth(width)
                                                : m_box->totalSizeHint().height();
  const QRect at((room.width() - width) / 2, room.height() - height - theme::kGrid, width, height);
  setGeometry(movedAbove(at, keptClear(*parentWidget(), *this, false), room));
}

bool BannerStack::event(QEvent* event) {
  if (event->type() == QEvent::LayoutRequest) place();
  return QWidget::event(event);
}

bool BannerStack::eventFilter(QObject* watched, QEvent* event) {
  const bool moved = event->type() == QEvent::Resize || event->type() == QEvent::Move;
  if (moved && !isHidden()) place();
  return QWidget::eventFilter(watched, event);
}

}  // namespace tessera::ui
