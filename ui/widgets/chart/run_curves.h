// SPDX-License-Identifier: MIT
// RunCurves: one run as charts see it: its series by key, where their rows lie, and what happened.
//
// Keys: the id of a metric ("loss"), "validation" and "validation/<source>", "max_vio/<layer>".
#pragma once

#include <QColor>
#include <QString>
#include <QStringList>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/config/model_config.h"
#include "core/history/run_history.h"
#include "ui/widgets/chart/x_column.h"

namespace tessera::ui {

/// Something that happened at a step, drawn as a mark under the plot.
struct ChartMark {
  enum class Kind : std::uint8_t { Checkpoint, Resume, Rollback, Spike, Stage };
  Kind kind = Kind::Checkpoint;
  std::int64_t step = 0;
  QString text;
};

/// Names of a run's MoE layers as logged: by their place in the model, the MTP module last.
QStringList moeLayerNames(const ModelConfig& model);

class RunCurves {
 public:
  /// `title` is what the legend says.
  RunCurves(QString id, QString title);

  const QString& id() const { return m_id; }
  const QString& title() const { return m_title; }
  void setTitle(const QString& title) { m_title = title; }

  /// Reads the history; to be called whenever it changed, and before it goes away. It is kept by
  /// reference: `owner` keeps it alive.
  void update(const RunHistory& history, std::shared_ptr<const void> owner = {});
  /// Rows that were read are gone (RunFeed::rewritten()): the next update() reads all of them.
  void restart();
  /// Names of stages with the step each begins at.
  void setStages(std::vector<std::pair<std::int64_t, QString>> stages);

  /// What the MoE layers are called: moeLayerNames().
  void setLayerNames(const QStringList& names) { m_layerNames = names; }

  struct Curve {
    const Series* values = nullptr;
    const chart::XColumn* x = nullptr;
    bool points = false;  ///< few values, each with a dot: validation
  };
  /// Null values where the run has no such quantity, or never a value of it.
  Curve curve(const QString& key) const;
  /// The keys that match: a key itself, or "validation/*".
  QStringList keys(const QString& pattern) const;
  /// What a legend calls a key within this run: "web", "layer 3", "Loss".
  QString keyTitle(const QString& key) const;

  const chart::XColumn& x() const { return m_x; }
  /// The steps of validations; the first comes before the first step, at -1.
  const chart::XColumn& validationX() const { return m_validationX; }
  const std::vector<ChartMark>& marks() const { return m_marks; }
  const RunHistory* history() const { return m_history; }
  /// Counts up when rows that were there are gone, so that what was derived begins anew.
  int revision() const { return m_revision; }
  /// Changes whenever what curve() gave before may be gone.
  std::size_t generation() const;
  /// Where a step lies on an axis, between logged rows too; NaN without rows.
  double position(std::int64_t step, chart::XAxis axis) const;
  /// The logged step nearest to an x; -1 without rows.
  std::int64_t stepNear(double x, chart::XAxis axis) const;

 private:
  void readValidation();
  double origin() const;
  void readMarks();

  QString m_id, m_title;
  const RunHistory* m_history = nullptr;
  std::shared_ptr<const void> m_owner;
  chart::XColumn m_x, m_validationX;
  std::map<QString, Series> m_validation;  ///< by key
  std::vector<ChartMark> m_marks;
  std::vector<std::pair<std::int64_t, QString>> m_stages;
  QStringList m_layerNames;
  std::size_t m_validations = 0;
  int m_revision = 0;
};

}  // namespace tessera::ui
