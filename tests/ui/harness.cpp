// SPDX-License-Identifier: MIT
#include "tests/ui/harness.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <QAbstractButton>
#include <QDir>
#include <QElapsedTimer>
#include <QEvent>
#include <QLabel>
#include <QPointer>
#include <QScrollArea>
#include <QThread>
#include <cstdio>
#include <cstdlib>

#include "ui/bridge/launcher.h"
#include "ui/bridge/preferences.h"
#include "ui/bridge/run_store.h"
#include "ui/bridge/tasks.h"
#include "ui/theme/theme.h"

namespace tessera::ui::test {

namespace {
TestApplication* g_application = nullptr;

int& prepared(int& argc) {
  if (!qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
  qputenv("LC_ALL", "C.UTF-8");
  return argc;
}
}  // namespace

TestApplication::TestApplication(int& argc, char** argv) : QApplication(prepared(argc), argv) {
  g_application = this;
  const auto thread = static_cast<long>(::syscall(SYS_gettid));
  const QByteArray path = "/proc/self/task/" + QByteArray::number(qlonglong(thread)) + "/schedstat";
  m_schedstat = ::open(path.constData(), O_RDONLY | O_CLOEXEC);
  const int limit = qEnvironmentVariableIntValue("TESSERA_STALL_MS");
  if (limit > 0) m_limitMs = limit;
  theme::apply(*this, theme::Scheme::Light);
}

TestApplication::~TestApplication() {
  if (m_schedstat >= 0) ::close(m_schedstat);
}

/// For how long this thread has been ready without a processor.
double TestApplication::waitedSeconds() const {
  char text[128] = {};
  if (m_schedstat < 0 || ::pread(m_schedstat, text, sizeof text - 1, 0) <= 0) return 0;
  unsigned long long ran = 0, waited = 0;
  return std::sscanf(text, "%llu %llu", &ran, &waited) == 2 ? static_cast<double>(waited) * 1e-9
                                                            : 0;
}

bool TestApplication::notify(QObject* receiver, QEvent* event) {
  // Workers' events come through here as well; only those of the GUI thread hold up the window.
  if (QThread::currentThread() != thread() || !m_watching) {
    return QApplication::notify(receiver, event);
  }
  const QByteArray name = receiver->metaObject()->className();
  const int type = event->type();
  const double outer = std::exchange(m_nested, 0), waited = waitedSeconds();
  QElapsedTimer timer;
  timer.start();
  const bool result = QApplication::notify(receiver, event);
  const double all = static_cast<double>(timer.nsecsElapsed()) * 1e-9 - (waitedSeconds() - waited);
  const double own = 1e3 * (all - m_nested);  // events inside this one are timed by themselves
  m_nested = outer + all;
  m_longestMs = std::max(m_longestMs, own);
  if (m_watching && own > m_limitMs) {
    m_stalls += QStringLiteral("event %1 to %2 took %3 ms (test %4)")
                    .arg(type)
                    .arg(QString::fromLatin1(name))
                    .arg(own, 0, 'f', 0)
                    .arg(QString::fromLatin1(QTest::currentTestFunction()));
  }
  return result;
}

void TestApplication::forgetStalls() {
  m_stalls.clear();
  m_longestMs = 0;
}

TestApplication& application() {
  return *g_application;
}

int runTests(QObject& tests, int argc, char** argv) {
  const int failed = QTest::qExec(&tests, argc, argv);
  for (const QString& stall : application().stalls()) {
    std::printf("FAIL!  : stall: %s\n", qPrintable(stall));
  }
  std::printf("longest event: %.1f ms\n", application().longestMs());
  return failed + static_cast<int>(application().stalls().size());
}

TemporaryHome::TemporaryHome() {
  QDir().mkpath(home());
  QDir().mkpath(runs());
  qputenv("TESSERA_HOME", home().toLocal8Bit());
  qputenv("TESSERA_RUNS", runs().toLocal8Bit());
}

TemporaryHome::~TemporaryHome() {
  qunsetenv("TESSERA_HOME");
  qunsetenv("TESSERA_RUNS");
}

StudioFixture::StudioFixture(std::unique_ptr<TemporaryHome> with)
    : home(with ? std::move(with) : std::make_unique<TemporaryHome>()),
      preferences(std::make_unique<Preferences>()),
      tasks(std::make_unique<Tasks>()),
      runs(std::make_unique<RunStore>()),
      launcher(std::make_unique<Launcher>()),
      selection(std::make_unique<Selection>()),
      studio(new Studio{*runs, *launcher, *selection, navigator, *tasks, *preferences}) {}

StudioFixture::~StudioFixture() = default;

std::unique_ptr<StudioFixture> makeStudio(std::unique_ptr<TemporaryHome> home) {
  return std::make_unique<StudioFixture>(std::move(home));
}

namespace {
QPoint pointOf(QWidget* widget, const QPoint& at) {
  return at.x() < 0 ? widget->rect().center() : at;
}

void scrollTo(QWidget* widget) {
  for (QWidget* up = widget->parentWidget(); up; up = up->parentWidget()) {
    if (auto* area = qobject_cast<QScrollArea*>(up)) area->ensureWidgetVisible(widget);
  }
  QCoreApplication::sendPostedEvents();
}
}  // namespace

QString whyNotClickable(QWidget* widget, const QPoint& at) {
  if (!widget) return QStringLiteral("there is no such widget");
  const QString name =
      QStringLiteral("%1 \"%2\"")
          .arg(QString::fromLatin1(widget->metaObject()->className()), widget->objectName());
  if (!widget->isVisible()) return name + QStringLiteral(" is not visible");
  if (!widget->isEnabled()) return name + QStringLiteral(" is disabled: ") + widget->toolTip();
  const QPointer<QWidget> alive = widget;
  scrollTo(widget);
  if (!alive) return name + QStringLiteral(" was replaced by another");
  const QPoint point = widget->mapTo(widget->window(), pointOf(widget, at));
  if (!widget->window()->rect().contains(point)) {
    return name + QStringLiteral(" lies outside of its window");
  }
  QWidget* top = widget->window()->childAt(point);
  if (!top) top = widget->window();
  if (top == widget || widget->isAncestorOf(top)) return {};
  return name + QStringLiteral(" is covered by ") + top->metaObject()->className() + u' ' +
         top->objectName();
}

bool click(QWidget* widget, const QPoint& at, Qt::MouseButton mouseButton,
           Qt::KeyboardModifiers modifiers) {
  const QString why = whyNotClickable(widget, at);
  if (!why.isEmpty()) {
    QTest::qFail(qPrintable(why), __FILE__, __LINE__);
    return false;
  }
  const QPoint point = pointOf(widget, at);
  QWidget* top = widget->window()->childAt(widget->mapTo(widget->window(), point));
  if (!top) top = widget;
  QTest::mouseClick(top, mouseButton, modifiers,
                    top->mapFrom(widget->window(), widget->mapTo(widget->window(), point)));
  return true;
}

bool typeInto(QWidget* field, const QString& text) {
  if (!click(field)) return false;
  QWidget* target = QApplication::focusWidget() ? QApplication::focusWidget() : field;
  QTest::keyClick(target, Qt::Key_A, Qt::ControlModifier);
  QTest::keyClick(target, Qt::Key_Delete);
  QTest::keyClicks(target, text);
  return true;
}

QAbstractButton* button(QWidget* root, const QString& text) {
  for (auto* candidate : root->findChildren<QAbstractButton*>()) {
    QString shown = candidate->text();
    shown.remove(u'&');
    if ((shown == text || candidate->accessibleName() == text) && candidate->isVisible()) {
      return candidate;
    }
  }
  return nullptr;
}

QWidget* labelWith(QWidget* root, const QString& text) {
  for (auto* label : root->findChildren<QLabel*>()) {
    if (label->isVisible() && label->text().contains(text)) return label;
  }
  return nullptr;
}

bool show(QWidget& widget, const QSize& size) {
  widget.resize(size);
  widget.show();
  widget.activateWindow();
  return QTest::qWaitForWindowExposed(&widget);
}

bool waitUntil(const std::function<bool()>& condition, int timeoutMs) {
  return QTest::qWaitFor(condition, timeoutMs);
}

void picture(QWidget& widget, const QString& name) {
  const QString folder = qEnvironmentVariable("TESSERA_PICTURES");
  if (folder.isEmpty()) return;
  QDir().mkpath(QFileInfo(folder + u'/' + name).path());
  const WatchPause pause;
  if (!widget.grab().save(folder + u'/' + name + QStringLiteral(".png"))) {
    qWarning("the picture %s cannot be written", qPrintable(name));
  }
}

}  // namespace tessera::ui::test
