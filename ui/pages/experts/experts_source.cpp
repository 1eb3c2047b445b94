// SPDX-License-Identifier: MIT
#include "ui/pages/experts/experts_source.h"

#include <algorithm>

namespace tessera::ui {

namespace {
constexpr int kCacheKiB = 48 * 1024, kLostMs = 3000;

int costOf(const ExpertsFrame& frame) {
  if (!frame) return 1;
  return 1 + static_cast<int>((frame->counts.size() * 8 + frame->biases.size() * 4) / 1024);
}
}  // namespace

ExpertsSource::ExpertsSource(std::shared_ptr<RunFeed> feed, QObject* parent)
    : QObject(parent), m_feed(std::move(feed)), m_cache(kCacheKiB) {
  m_lost.setSingleShot(true);
  m_lost.setInterval(kLostMs);
  connect(&m_lost, &QTimer::timeout, this, [this] {
    m_asked = -1;
    askNext();
  });
  connect(m_feed.get(), &RunFeed::expertsReady, this,
          [this](std::int64_t step, const ExpertsFrame& frame) { take(step, frame); });
  connect(m_feed.get(), &RunFeed::rewritten, this, [this] {
    m_cache.clear();
    m_window.clear();
  });
}

std::int64_t ExpertsSource::indexOf(std::int64_t step) const {
  const auto& all = steps();
  if (step < 0) return static_cast<std::int64_t>(all.size()) - 1;
  return std::upper_bound(all.begin(), all.end(), step) - all.begin() - 1;
}

std::int64_t ExpertsSource::loggedStep(std::int64_t step) const {
  const std::int64_t at = indexOf(step);
  return at < 0 ? -1 : steps()[static_cast<std::size_t>(at)];
}

ExpertsFrame ExpertsSource::cached(std::int64_t step) const {
  const ExpertsFrame* frame = m_cache.object(step);
  return frame ? *frame : nullptr;
}

void ExpertsSource::want(std::int64_t step) {
  if (const ExpertsFrame frame = cached(step)) {
    m_wish = -1;
    Q_EMIT ready(step, frame);
    return;
  }
  m_wish = step;
  if (step == m_asked) m_askedWish = true;
  askNext();
}

void ExpertsSource::wantWindow(std::int64_t step, int count) {
  const std::int64_t last = indexOf(step);
  m_window.clear();
  for (std::int64_t i = std::max<std::int64_t>(0, last - count + 1); i <= last; ++i) {
    m_window.push_back(steps()[static_cast<std::size_t>(i)]);
  }
  m_windowSaid = false;
  askNext();
}

std::vector<ExpertsFrame> ExpertsSource::window() const {
  std::vector<ExpertsFrame> frames;
  for (const std::int64_t step : m_window) {
    const ExpertsFrame frame = cached(step);
    if (!frame) return {};
    frames.push_back(frame);
  }
  return frames;
}

void ExpertsSource::ask(std::int64_t step, bool wish) {
  m_asked = step;
  m_askedWish = wish;
  m_lost.start();
  m_feed->requestExperts(step);
}

void ExpertsSource::askNext() {
  if (m_asked >= 0) return;
  if (m_wish >= 0) return ask(m_wish, true);
  if (m_windowSaid) return;
  for (const std::int64_t step : m_window) {
    if (!m_cache.contains(step)) return ask(step, false);
  }
  m_windowSaid = true;
  Q_EMIT windowReady();
}

void ExpertsSource::take(std::int64_t step, const ExpertsFrame& frame) {
  if (step != m_asked) return;  // another page asked the shared feed
  m_asked = -1;
  m_lost.stop();
  m_cache.insert(step, new ExpertsFrame(frame), costOf(frame));
  if (step == m_wish) m_wish = -1;
  // Also where the scrubber has moved on meanwhile: what comes in is shown on the way.
  if (m_askedWish) Q_EMIT ready(step, frame);
  askNext();
}

}  // namespace tessera::ui
