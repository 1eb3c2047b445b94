// SPDX-License-Identifier: MIT
// Configure alone in its window, as its tests need it.
#pragma once

#include <QFileInfo>
#include <QLabel>
#include <QListWidget>
#include <memory>
#include <utility>

#include "core/run/run_folder.h"
#include "tests/build_paths.h"
#include "tests/ui/harness.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/configure/configure_page.h"
#include "ui/pages/configure/spec_form.h"
#include "ui/pages/configure/spec_text.h"
#include "ui/widgets/spec/field_row.h"

namespace tessera::ui::test {

class ConfigureScene {
 protected:
  static void findProgram() {
    qputenv("PATH", QFileInfo(QStringLiteral(TESSERA_PROGRAM)).absolutePath().toUtf8() + ":" +
                        qgetenv("PATH"));
  }
  void setUp() {
    m_studio = makeStudio();
    m_page = std::make_unique<ConfigurePage>(*m_studio->studio);
    QVERIFY(test::show(*m_page, QSize(1100, 760)));
  }
  void tearDown() {
    m_page.reset();
    m_studio.reset();
  }

  DraftSpec& draft() { return m_page->draft(); }
  SpecForm* form() { return m_page->findChild<SpecForm*>(); }
  SpecText* text() { return m_page->findChild<SpecText*>(); }
  QString status() {
    auto* label = m_page->findChild<QLabel*>(QStringLiteral("plan-status"));
    return label ? label->text() : QString();
  }
  bool load(const QString& preset) {
    m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("preset"), preset}}});
    return waitUntil([&] { return draft().loaded() && draft().settled(); }) && planned();
  }
  bool planned() {
    return waitUntil([&] { return draft().settled() && status() != QStringLiteral("Planning…"); },
                     15000);
  }
  bool built() {
    int before = -1;
    return waitUntil([&] {
      const int now = static_cast<int>(form()->paths().size());
      return std::exchange(before, now) == now && now > 0;
    });
  }
  bool section(const QString& name) {
    auto* list = form()->findChild<QListWidget*>();
    for (int i = 0; i < list->count(); ++i) {
      if (!list->item(i)->text().startsWith(name)) continue;
      const QRect rect = list->visualItemRect(list->item(i));
      return click(list->viewport(), rect.center()) && built();
    }
    return false;
  }
  template <class Widget>
  Widget* field(const char* path) {
    return form()->findChild<Widget*>(QString::fromLatin1(path));
  }
  FieldRow* row(const char* path) { return form()->row(path); }
  void type(const QString& words) {
    bool first = true;
    for (const QString& line : words.split(u'\n', Qt::KeepEmptyParts)) {
      if (!std::exchange(first, false)) QTest::keyClick(text(), Qt::Key_Return);
      QTest::keyClicks(text(), line);
    }
  }
  QString makeRun(const RunSpec& spec) {
    const RunFolder folder = RunFolder::create(m_studio->home->runs().toStdString(), spec);
    EventWriter writer(folder.events_path());
    writer.append(StateEvent{.state = RunState::Finished});
    m_studio->runs->refresh();
    const QString id = QString::fromStdString(folder.id());
    return waitUntil([&] { return m_studio->runs->run(id) != nullptr; }) ? id : QString();
  }

  std::unique_ptr<StudioFixture> m_studio;
  std::unique_ptr<ConfigurePage> m_page;
};

}  // namespace tessera::ui::test
