// SPDX-License-Identifier: MIT
// Work on another thread whose answer comes back to this one, unless nobody waits for it any more.
#pragma once

#include <QCoreApplication>
#include <QMetaObject>
#include <QPointer>
#include <QThreadPool>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "core/base/log.h"

namespace tessera::ui {

/// `work` runs on a thread of the pool and must hold all it needs; `done` gets its answer on the
/// GUI thread, if `context` still lives then. Where `work` throws, the log tells why, and `done` is
/// not called: work that may fail gives its error as a part of the answer.
template <class Work, class Done>
void inBackground(QObject* context, Work work, Done done) {
  QPointer<QObject> alive(context);
  QThreadPool::globalInstance()->start([alive, work = std::move(work), done = std::move(done)] {
    std::shared_ptr<std::invoke_result_t<const Work&>> answer;
    try {
      answer = std::make_shared<std::invoke_result_t<const Work&>>(work());
    } catch (const std::exception& problem) {
      log::error("work in the background failed: {}", problem.what());
      return;
    }
    // NOTE: posted to the application, which outlives the pool's threads; whether the context still
    // lives is asked on its own thread.
    QMetaObject::invokeMethod(
        QCoreApplication::instance(),
        [alive, done, answer] {
          if (alive) done(*answer);
        },
        Qt::QueuedConnection);
  });
}

}  // namespace tessera::ui
