// SPDX-License-Identifier: MIT
#include "tests/ui/harness.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <QAbstractButton>
#include <QAbstractEventDispatcher>
#include <QAbstractItemView>
#include <QClipboard>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QDir>
#include <QEvent>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMouseEvent>
#include <QPointer>
#include <QPushButton>
#include <QScrollArea>
#include <QSettings>
#include <QThread>
#include <QTimer>
#include <cstdio>
#include <cstdlib>

#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
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
  QSettings::setPath(QSettings::NativeFormat, QSettings::UserScope, m_qtSettings.path());
  const auto thread = static_cast<long>(::syscall(SYS_gettid));
  const QByteArray path = "/proc/self/task/" + QByteArray::number(qlonglong(thread)) + "/schedstat";
  m_schedstat = ::open(path.constData(), O_RDONLY | O_CLOEXEC);
  const int limit = qEnvironmentVariableIntValue("TESSERA_STALL_MS");
  if (limit > 0) m_limitMs = limit;
  // A menu's own loop of events waits within an event: nobody is held up by that.
  const QAbstractEventDispatcher* loop = QAbstractEventDispatcher::instance();
  connect(loop, &QAbstractEventDispatcher::aboutToBlock, this, [this] {
    m_nestedBefore = m_nested;
    m_idle.start();
  });
  connect(loop, &QAbstractEventDispatcher::awake, this, [this] {
    if (!m_idle.isValid()) return;
    m_nested = m_nestedBefore + static_cast<double>(m_idle.nsecsElapsed()) * 1e-9;
    m_idle.invalidate();
  });
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
  checkInput(receiver, event);
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

/// NOTE: QTest sends clicks and keys straight to the widget that it is given, seen or not.
void TestApplication::checkInput(QObject* receiver, QEvent* event) {
  const QEvent::Type type = event->type();
  const bool mouse = type == QEvent::MouseButtonPress || type == QEvent::MouseButtonDblClick;
  if ((!mouse && type != QEvent::KeyPress) || !event->spontaneous()) return;
  auto* widget = qobject_cast<QWidget*>(receiver);
  if (!widget) return;
  QString why;
  const QWidget* above = activePopupWidget() ? activePopupWidget() : activeModalWidget();
  if (!widget->isVisible()) {
    why = QStringLiteral("is not visible");
  } else if (mouse && above && widget->window() != above && !above->isAncestorOf(widget)) {
    why = QStringLiteral("is behind ") + QLatin1String(above->metaObject()->className());
  } else if (mouse) {
    const QPoint at = static_cast<QMouseEvent*>(event)->position().toPoint();
    const QPoint point = widget->mapTo(widget->window(), at);
    const QWidget* top = widget->window()->childAt(point);
    const bool inside = widget->window()->rect().contains(point);
    if (inside && top && top != widget && !widget->isAncestorOf(top)) {
      why = QStringLiteral("is covered by ") + QLatin1String(top->metaObject()->className());
    }
  }
  if (why.isEmpty()) return;
  m_unreachable += QStringLiteral("%1 \"%2\" %3 (test %4)")
                       .arg(QLatin1String(widget->metaObject()->className()), widget->objectName(),
                            why, QLatin1String(QTest::currentTestFunction()));
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
  for (const QString& input : application().unreachable()) {
    std::printf("FAIL!  : no person could have done this: %s\n", qPrintable(input));
  }
  std::printf("longest event: %.1f ms\n", application().longestMs());
  return failed + static_cast<int>(application().stalls().size()) +
         static_cast<int>(application().unreachable().size());
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

bool doubleClick(QWidget* widget, const QPoint& at) {
  if (!click(widget, at)) return false;
  const QPoint point = pointOf(widget, at);
  QWidget* top = widget->window()->childAt(widget->mapTo(widget->window(), point));
  if (!top) top = widget;
  QTest::mouseDClick(top, Qt::LeftButton, {},
                     top->mapFrom(widget->window(), widget->mapTo(widget->window(), point)));
  return true;
}

bool drag(QWidget* widget, const QPoint& from, const QPoint& to, Qt::KeyboardModifiers modifiers) {
  const QString why = whyNotClickable(widget, from);
  if (!why.isEmpty()) {
    QTest::qFail(qPrintable(why), __FILE__, __LINE__);
    return false;
  }
  constexpr int kSteps = 10;
  QTest::mousePress(widget, Qt::LeftButton, modifiers, from);
  for (int i = 1; i <= kSteps; ++i) QTest::mouseMove(widget, from + (to - from) * i / kSteps);
  QTest::mouseRelease(widget, Qt::LeftButton, modifiers, to);
  return true;
}

bool clickItem(QAbstractItemView* view, const QModelIndex& index, Qt::KeyboardModifiers modifiers) {
  if (!index.isValid()) {
    QTest::qFail("there is no such row", __FILE__, __LINE__);
    return false;
  }
  view->scrollTo(index);
  return click(view->viewport(), view->visualRect(index).center(), Qt::LeftButton, modifiers);
}

bool choose(QComboBox* box, const QString& text) {
  const int row = box->findText(text);
  if (row < 0) {
    QTest::qFail(qPrintable(QStringLiteral("the box has no entry ") + text), __FILE__, __LINE__);
    return false;
  }
  if (!click(box)) return false;
  QAbstractItemView* list = box->view();
  if (!waitUntil([&] { return list->isVisible(); })) return false;
  QTest::qWait(QApplication::doubleClickInterval() + 50);  // a popup lets its first click pass
  return clickItem(list, box->model()->index(row, box->modelColumn(), box->rootModelIndex()));
}

bool chooseFromMenu(QAbstractButton* button, const QString& text) {
  bool chosen = false;
  QTimer looking;
  QElapsedTimer waited;
  waited.start();
  QObject::connect(&looking, &QTimer::timeout, &looking, [&] {
    auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
    if (!menu) return;
    for (QAction* action : menu->actions()) {
      if (action->text().remove(u'&') != text || !action->isEnabled()) continue;
      looking.stop();
      chosen = click(menu, menu->actionGeometry(action).center());
      return;
    }
    if (waited.elapsed() < 3000) return;
    looking.stop();
    menu->close();
  });
  looking.start(20);
  if (!click(button)) return false;
  waitUntil([&] { return chosen || !looking.isActive(); });
  if (!chosen)
    QTest::qFail(qPrintable(QStringLiteral("no menu offers ") + text), __FILE__, __LINE__);
  return chosen;
}

bool saveInDialog(QWidget* parent, const QString& file) {
  QFileDialog* dialog = nullptr;
  const auto look = [&] {
    for (auto* one : parent->window()->findChildren<QFileDialog*>()) {
      if (one->isVisible()) dialog = one;
    }
    return dialog != nullptr;
  };
  if (!waitUntil(look)) {
    QTest::qFail("no dialog asks for a file", __FILE__, __LINE__);
    return false;
  }
  auto* name = dialog->findChild<QLineEdit*>(QStringLiteral("fileNameEdit"));
  if (!name || !click(name)) return false;
  name->setCompleter(nullptr);  // Qt's own would open over the button, or answer for us
  QGuiApplication::clipboard()->setText(file);
  QTest::keyClick(name, Qt::Key_A, Qt::ControlModifier);
  QTest::keyClick(name, Qt::Key_V, Qt::ControlModifier);
  QPushButton* go = nullptr;
  const auto* box = dialog->findChild<QDialogButtonBox*>();
  for (QAbstractButton* one : box->buttons()) {
    if (box->buttonRole(one) == QDialogButtonBox::AcceptRole) go = qobject_cast<QPushButton*>(one);
  }
  waitUntil([&] { return go && go->isEnabled(); });  // it first looks whether the file is there
  if (!click(go)) return false;
  return waitUntil([&] { return !dialog->isVisible(); });
}

bool typeInto(QWidget* field, const QString& text) {
  if (!click(field)) return false;
  // Its window may not be the active one: windows of the offscreen platform are not by themselves.
  QWidget* target = field->window()->focusWidget();
  if (!target || (target != field && !field->isAncestorOf(target))) target = field;
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
  // The quality 0 is the smallest file; it loses nothing.
  if (!widget.grab().save(folder + u'/' + name + QStringLiteral(".png"), "PNG", 0)) {
    qWarning("the picture %s cannot be written", qPrintable(name));
  }
}

}  // namespace tessera::ui::test
