// SPDX-License-Identifier: MIT
// The widget in which one key of a spec is edited, by the type of the key.
#pragma once

#include <QWidget>

#include "core/spec/spec_table.h"

namespace tessera::ui {

class FieldEditor : public QWidget {
  Q_OBJECT
 public:
  using QWidget::QWidget;
  /// Shows a value, unless it is just being edited and means the same already.
  virtual void setValue(const spec::Value& value) = 0;
  /// Shows what was typed and could not be taken; of no use to editors that only offer choices.
  virtual void setTyped(const QString& /*text*/) {}
  virtual QString typedText() const { return {}; }
  /// What has the focus and the accessible name.
  virtual QWidget* field() = 0;
  /// Pixels that it needs in height, known before it is shown; 0: no more than any row has.
  virtual int leastHeight() const { return 0; }
  /// Takes what is typed at once instead of after a pause.
  virtual void commit() {}

 Q_SIGNALS:
  /// A value as the key's type has it.
  void edited(const tessera::spec::Value& value);
  /// TOML, or a bare word, that still has to be read.
  void typed(const QString& text);
};

/// `path` names the field for tests and screen readers.
FieldEditor* makeFieldEditor(const spec::Key& key, const QString& path, QWidget* parent);

/// "Attention heads" of "num_attention_heads".
QString keyTitle(const std::string& name);

}  // namespace tessera::ui
