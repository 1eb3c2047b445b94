// SPDX-License-Identifier: MIT
// Links: tessera_ui_widgets
#include <QLocale>
#include <cmath>

#include "tests/ui/harness.h"
#include "ui/widgets/numbers.h"

using namespace tessera::ui;

class NumbersTest : public QObject {
  Q_OBJECT

  static QString plain(QString text) { return text.replace(numbers::kSpace, u' '); }

 private Q_SLOTS:
  void initTestCase() { QLocale::setDefault(QLocale(QLocale::English)); }

  void counts() {
    QCOMPARE(plain(numbers::count(0)), "0");
    QCOMPARE(plain(numbers::count(950)), "950");
    QCOMPARE(plain(numbers::count(0.5)), "0.50");
    QCOMPARE(plain(numbers::count(999.6)), "1.00 k");
    QCOMPARE(plain(numbers::count(12'345)), "12.3 k");
    QCOMPARE(plain(numbers::count(12'400'000)), "12.4 M");
    QCOMPARE(plain(numbers::count(999'960'000)), "1.00 B");
    QCOMPARE(plain(numbers::count(14.8e12)), "14.8 T");
    QCOMPARE(plain(numbers::count(-1500)), "-1.50 k");
    QCOMPARE(plain(numbers::tokens(12.4e6)), "12.4 M tokens");
    QCOMPARE(plain(numbers::bytes(1.5e9)), "1.50 GB");
    QCOMPARE(plain(numbers::bytes(512)), "512 B");
    QCOMPARE(plain(numbers::flops(157.1e9)), "157 GFLOP/s");
    QCOMPARE(plain(numbers::rate(11'740, QStringLiteral("tokens/s"))), "11.7 k tokens/s");
  }

  void shares() {
    QCOMPARE(plain(numbers::percent(0.413)), "41.3 %");
    QCOMPARE(plain(numbers::percent(1)), "100 %");
    QCOMPARE(plain(numbers::percent(0)), "0.0 %");
    // What is little is not nothing.
    QCOMPARE(plain(numbers::percent(4.2e-4)), "0.042 %");
    QCOMPARE(plain(numbers::percent(3.1e-8)), "3.1e-06 %");
    QCOMPARE(plain(numbers::percent(5.1e-4)), "0.1 %");
  }

  void durations() {
    QCOMPARE(plain(numbers::duration(0.35)), "350 ms");
    QCOMPARE(plain(numbers::duration(0.9999)), "1.0 s");
    QCOMPARE(plain(numbers::duration(2.5)), "2.5 s");
    QCOMPARE(plain(numbers::duration(59.6)), "1 min 0 s");
    QCOMPARE(plain(numbers::duration(200)), "3 min 20 s");
    QCOMPARE(plain(numbers::duration(11'520)), "3 h 12 min");
    QCOMPARE(plain(numbers::duration(187'200)), "2 d 4 h");
    QCOMPARE(plain(numbers::duration(-1)), "\u2013");
  }

  void ages() {
    QCOMPARE(plain(numbers::age(1)), "just now");
    QCOMPARE(plain(numbers::age(12)), "12 s ago");
    QCOMPARE(plain(numbers::age(7'200)), "2 h ago");
    QCOMPARE(plain(numbers::age(86'400 * 3)), "3 days ago");
    QCOMPARE(plain(numbers::age(-20)), "just now");  // clocks of two machines differ
    QCOMPARE(plain(numbers::ageOf(0)), "\u2013");
  }

  void plainNumbers() {
    QCOMPARE(numbers::number(0.001234), "0.001234");
    QCOMPARE(numbers::number(12.346), "12.35");
    QCOMPARE(numbers::number(12345), "12345");
    QCOMPARE(numbers::number(0), "0");
    QCOMPARE(numbers::number(3.1e-5), "3.10e-5");
    QCOMPARE(numbers::number(0.0002, 3), "0.0002");  // a learning rate, as people write it
    QCOMPARE(numbers::number(-2e9), "-2.00e9");
    QCOMPARE(numbers::fixed(4.526, 4), "4.5260");
    QCOMPARE(plain(numbers::whole(14'800'000)), "14 800 000");
    QCOMPARE(plain(numbers::whole(-999)), "-999");
    QCOMPARE(plain(numbers::progress(120, 850)), "120 of 850");
    QCOMPARE(plain(numbers::progress(-1, 850)), "\u2013");
  }

  void whatWasNotMeasuredIsADash() {
    const double nan = std::nan("");
    for (const QString& text :
         {numbers::number(nan), numbers::fixed(nan, 2), numbers::count(nan), numbers::bytes(nan),
          numbers::percent(nan), numbers::rate(nan, "x"), numbers::duration(nan), numbers::age(nan),
          numbers::tokens(nan), numbers::count(INFINITY)}) {
      QCOMPARE(text, "\u2013");
    }
  }

  void followTheLanguage() {
    QLocale::setDefault(QLocale(QLocale::German));
    QCOMPARE(plain(numbers::count(12'400'000)), "12,4 M");
    QCOMPARE(numbers::fixed(4.5, 2), "4,50");
    QLocale::setDefault(QLocale(QLocale::English));
  }
};

TESSERA_UI_MAIN(NumbersTest)
#include "numbers_test.moc"
